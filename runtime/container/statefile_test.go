package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"

	"podd/internal/atomicfile"
)

// stateOf is a state of a container as libcontainer writes it, as far as it relies on it.
func stateOf(t *testing.T, id string, change func(*libcontainer.State)) []byte {
	t.Helper()
	s := &libcontainer.State{
		CgroupPaths: map[string]string{"pids": "/c"}, NamespacePaths: map[configs.NamespaceType]string{configs.NEWNS: "/proc/1/ns/mnt"},
	}
	s.ID = id
	s.Config = configs.Config{Rootfs: "/root", Cgroups: &cgroups.Cgroup{Resources: &cgroups.Resources{Memory: 1 << 20}}, Namespaces: configs.Namespaces{{Type: configs.NEWNS}}}
	if change != nil {
		change(s)
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPlausibleState(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*libcontainer.State)
		want   string
	}{
		{"whole", nil, ""},
		{"of another container", func(s *libcontainer.State) { s.ID = "other" }, `it is of container "other"`},
		{"no cgroup", func(s *libcontainer.State) { s.Config.Cgroups = nil }, "it names no cgroup"},
		{"no resources", func(s *libcontainer.State) { s.Config.Cgroups.Resources = nil }, "it names no cgroup"},
		{"no paths of cgroups", func(s *libcontainer.State) { s.CgroupPaths = nil }, "it names no cgroup"},
		{"no namespaces", func(s *libcontainer.State) { s.Config.Namespaces = nil }, "it names no namespaces"},
		{"no paths of namespaces", func(s *libcontainer.State) { s.NamespacePaths = nil }, "it names no namespaces"},
		{"no root", func(s *libcontainer.State) { s.Config.Rootfs = "" }, "it names no root"},
		{"a relative root", func(s *libcontainer.State) { s.Config.Rootfs = "root" }, "it names no root"},
		{"a mount that is none", func(s *libcontainer.State) { s.Config.Mounts = []*configs.Mount{{Destination: "/x"}, nil} }, "it has a mount without a place"},
		{"a rule that is none", func(s *libcontainer.State) {
			s.Config.Cgroups.Resources.Devices = []*config.Rule{nil}
		}, "it has a rule without a device"},
	} {
		err := plausibleState(stateOf(t, "c", tc.change), "c")
		if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	for _, text := range []string{"", "null", "{}", "[]", "{", `{"id":"c"}`} {
		if err := plausibleState([]byte(text), "c"); err == nil {
			t.Errorf("%q was believed", text)
		}
	}
}

// Whatever became of a state and its copy: what was written at the start is what is loaded, by which of the two it may be; what
// neither tells is not believed, and each loss is told once.
func TestCheckState(t *testing.T) {
	t.Parallel()
	good, bad := stateOf(t, "c", nil), []byte(`{"id":"c"}`)
	other := stateOf(t, "c", func(s *libcontainer.State) { s.Config.Hostname = "changed" })
	framed := func(state []byte) string { return fmt.Sprintf("%08x\n%s", checksum(state), state) }
	const none = "none"
	for _, tc := range []struct {
		name, state, copy string
		want              []byte // nil: there is no such container
		told              int
	}{
		{"both whole", string(good), framed(good), good, 0},
		{"neither is there", none, none, nil, 0},
		{"no copy yet", string(good), none, good, 0},
		{"the state is gone", none, framed(good), good, 0},
		{"the state is another", string(other), framed(good), good, 1},
		{"the state is damaged", "{", framed(good), good, 1},
		{"the state is empty", "", framed(good), good, 1},
		{"the copy is damaged", string(good), "00000000\n" + string(good), good, 1},
		{"the copy is cut", string(good), framed(good)[:40], good, 1},
		{"the copy is empty", string(good), "", good, 1},
		{"the copy has no checksum", string(good), string(good), good, 1},
		{"neither can be believed", string(bad), "x", nil, 2},
		{"no copy and no state to believe", string(bad), none, nil, 1},
		{"the state is gone and the copy damaged", none, "x", nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			told := 0
			e := &Engine{StateDir: t.TempDir(), Damaged: func(*atomicfile.Damage, string) { told++ }}
			dir := filepath.Join(e.StateDir, "c")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{stateFile: tc.state, stateCopy: tc.copy} {
				if text == none {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 2 { // the second time it is in order
				err := e.stateFiles().checkState("c")
				if tc.want == nil {
					if !errors.Is(err, libcontainer.ErrNotExist) {
						t.Errorf("try %d: %v", i, err)
					}
				} else if err != nil {
					t.Errorf("try %d: %v", i, err)
				} else if got, err := os.ReadFile(filepath.Join(dir, stateFile)); err != nil || string(got) != string(tc.want) {
					t.Errorf("try %d: the state is %s, %v", i, got, err)
				} else if kept, err := e.stateFiles().readCopy("c"); err != nil || string(kept) != string(tc.want) {
					t.Errorf("try %d: the copy is %s, %v", i, kept, err)
				}
				if told != tc.told {
					t.Errorf("try %d: told %d times, want %d", i, told, tc.told)
				}
			}
		})
	}
}

// A link or a folder in the place of a state is none; what it leads to is not read and not removed.
func TestStateThatIsNoFile(t *testing.T) {
	t.Parallel()
	e := &Engine{StateDir: t.TempDir()}
	dir, aim := filepath.Join(e.StateDir, "c"), filepath.Join(e.StateDir, "aim.json")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(aim, stateOf(t, "c", nil), 0o600), os.Symlink(aim, filepath.Join(dir, stateFile))); err != nil {
		t.Fatal(err)
	}
	if err := e.stateFiles().checkState("c"); !errors.Is(err, libcontainer.ErrNotExist) {
		t.Errorf("a link: %v", err)
	}
	if _, err := os.Stat(aim); err != nil {
		t.Error(err)
	}
	if _, err := stampOfState(dir); !errors.Is(err, atomicfile.ErrNotRegular) {
		t.Errorf("a folder has the stamp of a state: %v", err)
	}
	if err := e.stateFiles().copyState("none"); err == nil || !strings.HasPrefix(err.Error(), "cannot read the state of container none: ") {
		t.Errorf("no container: %v", err)
	}
}

// What there is of containers is listed by any of the folders, each once.
func TestIDs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := &Engine{StateDir: dir + "/state", IODir: dir + "/io", RootDir: dir + "/roots", MountDir: dir + "/mounts"}
	if ids, err := e.IDs(); len(ids) != 0 || err != nil {
		t.Errorf("no folders: %v, %v", ids, err)
	}
	for _, name := range []string{"state/a", "state/b", "io/b", "roots/c", "mounts/a", "mounts/d"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := e.IDs()
	if strings.Join(ids, " ") != "a b c d" || err != nil {
		t.Errorf("%v, %v", ids, err)
	}
	if e.AnyRuns() {
		t.Error("something runs")
	}
	if f, err := e.Find("a"); f != nil || err != nil {
		t.Errorf("a container without a state: %+v, %v", f, err)
	}
	if _, err := e.CgroupLost("a"); !errors.Is(err, libcontainer.ErrNotExist) {
		t.Errorf("its cgroup: %v", err)
	}
	if err := e.KillProbes("a"); !errors.Is(err, libcontainer.ErrNotExist) {
		t.Errorf("its probes: %v", err)
	}
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Engine{StateDir: dir + "/file"}).IDs(); err == nil || !strings.HasPrefix(err.Error(), "cannot list containers: ") {
		t.Errorf("a file in the place of a folder: %v", err)
	}
}

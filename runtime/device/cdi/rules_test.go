package cdi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The names are those of the reference implementation: pkg/parser, ValidateVendorName, ValidateClassName, ValidateDeviceName.
func TestNames(t *testing.T) {
	t.Parallel()
	spec := func(kind, device string) error {
		s := Load([]string{folder(t, map[string]string{"a.yaml": fmt.Sprintf("cdiVersion: 0.6.0\nkind: %q\ndevices: [{name: %q, containerEdits: {env: [A=1]}}]\n", kind, device)})})
		if len(s.Problems) > 0 {
			return s.Problems[0]
		}
		if got := s.Kind(kind); !slices.Equal(got, []string{kind + "=" + device}) {
			t.Errorf("of kind %q there is %q", kind, got)
		}
		return nil
	}
	for _, kind := range []string{"a/b", "example.com/gpu", "A-b_c.D9/x.y-z_0", "a1/b2"} {
		if err := spec(kind, "0"); err != nil {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
	for _, kind := range []string{"", "a", "/b", "a/", "a/b/c", "1a/b", "a/1b", "-a/b", "a-/b", "a/_b", "a/b.", "a b/c", "ä/b", "a/b=c", "a:b/c"} {
		if err := spec(kind, "0"); err == nil || !strings.Contains(err.Error(), "must be VENDOR/CLASS, such as example.com/gpu") {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
	for _, device := range []string{"0", "a", "gpu0", "0:1.2-3_4", "GPU-8f1a"} {
		if err := spec("a/b", device); err != nil {
			t.Errorf("device %q: %v", device, err)
		}
	}
	for _, device := range []string{"", "-a", "a-", ":a", "a b", "a=b", "a/b", "ä", "a\n"} {
		if err := spec("a/b", device); err == nil || !strings.Contains(err.Error(), "devices[0].name") {
			t.Errorf("device %q: %v", device, err)
		}
	}
}

// Every edit that cannot be made is refused where it stands, for all devices of a spec and for one.
func TestEditsRefused(t *testing.T) {
	t.Parallel()
	for edits, want := range map[string]string{
		`env: [""]`:                                                `env "" must be NAME=VALUE`,
		`env: ["A=1", "=x"]`:                                       `env "=x" must be NAME=VALUE`,
		`deviceNodes: [{path: dev/x}]`:                             "deviceNodes: path must begin with /",
		`deviceNodes: [{path: ""}]`:                                "deviceNodes: path must begin with /",
		`deviceNodes: [null]`:                                      "deviceNodes: path must begin with /",
		`deviceNodes: [{path: /d, hostPath: x}]`:                   "deviceNodes: path must begin with /",
		`deviceNodes: [{path: /d, permissions: rwx}]`:              "permissions be of r, w and m",
		`deviceNodes: [{path: /d, type: x}]`:                       `deviceNodes: /d is of type "x" with the number 0:0, and there is no such device`,
		`deviceNodes: [{path: /d, major: -1}]`:                     `with the number -1:0`,
		`deviceNodes: [{path: /d, type: c, minor: -2}]`:            `with the number 0:-2`,
		`mounts: [{containerPath: /x}]`:                            "mounts: hostPath and an absolute containerPath must be there",
		`mounts: [{hostPath: /x}]`:                                 "mounts: hostPath and an absolute containerPath must be there",
		`mounts: [{hostPath: /x, containerPath: x}]`:               "mounts: hostPath and an absolute containerPath must be there",
		`mounts: [null]`:                                           "mounts: hostPath and an absolute containerPath must be there",
		`mounts: [{hostPath: /x, containerPath: /x, type: tmpfs}]`: `mounts: podd binds only, and does not mount type "tmpfs"`,
		`hooks: [{hookName: poststop, path: x}]`:                   "hooks: hookName must be a stage of OCI, and path begin with /",
		`hooks: [{path: /x}]`:                                      "hooks: hookName must be a stage of OCI, and path begin with /",
		`hooks: [null]`:                                            "hooks: hookName must be a stage of OCI, and path begin with /",
		`hooks: [{hookName: prestart, path: /x, env: [A]}]`:        `hooks: env "A" must be NAME=VALUE`,
		`netDevices: [{hostInterfaceName: eth1, name: net1}]`:      "netDevices: podd does not move network interfaces into pods",
		`intelRdt: {closID: x}`:                                    "intelRdt: podd does not set cache and bandwidth of Intel RDT",
	} {
		for where, text := range map[string]string{
			": containerEdits: ":            "cdiVersion: 1.1.0\nkind: a/b\ncontainerEdits: {" + edits + "}\ndevices: [{name: x, containerEdits: {env: [A=1]}}]\n",
			": devices[1].containerEdits: ": "cdiVersion: 1.1.0\nkind: a/b\ndevices: [{name: w, containerEdits: {env: [A=1]}}, {name: x, containerEdits: {" + edits + "}}]\n",
		} {
			s := Load([]string{folder(t, map[string]string{"bad.yaml": text})})
			if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Error(), "bad.yaml"+where) || !strings.Contains(s.Problems[0].Error(), want) || len(s.Kind("a/b")) != 0 {
				t.Errorf("%s: %v, want %q behind %q", edits, s.Problems, want, where)
			}
		}
	}
}

func TestEditsAccepted(t *testing.T) {
	t.Parallel()
	for _, edits := range []string{
		"{}", "{env: [A=]}", "{env: [A=b=c]}", "{deviceNodes: [{path: /d, hostPath: /h, permissions: rwm, type: c, major: 1, minor: 3}]}", "{deviceNodes: [{path: /d, type: b}]}",
		"{mounts: [{hostPath: /x, containerPath: /y, type: bind}]}", "{mounts: [{hostPath: /x, containerPath: /y, type: none}]}",
		"{hooks: [{hookName: createContainer, path: /x, env: [A=1], timeout: 3}]}", "{additionalGids: [0, 7]}",
	} {
		if s := Load([]string{folder(t, map[string]string{"a.json.yaml": "cdiVersion: 0.7.0\nkind: a/b\ndevices: [{name: x, containerEdits: " + edits + "}]\n"})}); len(s.Problems) != 0 || len(s.Kind("a/b")) != 1 {
			t.Errorf("%s: %v", edits, s.Problems)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"0.3.0": true, "0.4.0": true, "0.5.0": true, "0.6.0": true, "0.7.0": true, "0.8.0": true, "1.0.0": true, "1.1.0": true, "v0.6.0": true,
		"": false, "0.2.0": false, "0.6": false, "2.0.0": false, "V0.6.0": false,
	} {
		s := Load([]string{folder(t, map[string]string{"a.json": fmt.Sprintf(`{"cdiVersion": %q, "kind": "a/b", "devices": [{"name": "x", "containerEdits": {}}]}`, version)})})
		if (len(s.Problems) == 0) != ok {
			t.Errorf("%q: %v", version, s.Problems)
		}
	}
	s := Load([]string{folder(t, map[string]string{"a.json": `{"cdiVersion": "0.6.0", "kind": "a/b", "devices": []}`})})
	if len(s.Problems) != 1 || !strings.HasSuffix(s.Problems[0].Error(), ": it has no devices") {
		t.Errorf("no devices: %v", s.Problems)
	}
}

// Only .json and .yaml are specs; what cannot be read, or is too large to be one, is a problem of that file alone.
func TestFilesOfAFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a.yaml": good, "b.yml": good, "c.JSON": good, "d": good, ".yaml.swp": "x", "large.yaml": "# " + strings.Repeat("x", maxSpec) + "\n" + good, "empty.json": "",
	})
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Load([]string{dir})
	var files []string
	for _, p := range s.Problems {
		files = append(files, filepath.Base(p.File))
		if !strings.HasPrefix(p.Error(), "cannot use CDI spec "+p.File+": ") || p.Err == nil {
			t.Errorf("the problem is %v", p)
		}
	}
	if want := []string{"empty.json", "folder.yaml", "large.yaml"}; !slices.Equal(files, want) || len(s.Kind("example.com/gpu")) != 2 {
		t.Errorf("problems with %v, want %v; devices %v", files, want, s.Kind("example.com/gpu"))
	}
	// A folder that is not there is none; one that is no folder is a problem.
	file := filepath.Join(dir, "a.yaml")
	s = Load([]string{file, filepath.Join(dir, "none")})
	if len(s.Problems) != 1 || s.Problems[0].File != file || errors.Is(s.Problems[0].Err, fs.ErrNotExist) {
		t.Errorf("%v", s.Problems)
	}
	if s := Load(nil); len(s.Problems) != 0 || s.Kind("") != nil {
		t.Errorf("without folders: %+v", s)
	}
}

// A later folder goes before, also where an earlier one does not know which of two specs is meant.
func TestLaterFolderSettles(t *testing.T) {
	t.Parallel()
	spec := func(value string) string {
		return `{"cdiVersion": "0.6.0", "kind": "a/b", "devices": [{"name": "x", "containerEdits": {"env": ["V=` + value + `"]}}]}`
	}
	torn := folder(t, map[string]string{"1.json": spec("1"), "2.json": spec("2"), "3.json": spec("3")})
	clear := folder(t, map[string]string{"1.json": spec("clear")})
	for _, tc := range []struct {
		name string
		dirs []string
		want string // "": nobody knows
	}{
		{"one", []string{clear}, "V=clear"},
		{"three of one folder", []string{torn}, ""},
		{"settled", []string{torn, clear}, "V=clear"},
		{"torn again", []string{clear, torn}, ""},
	} {
		e, err := Load(tc.dirs).Edits([]string{"a/b=x"})
		if tc.want == "" && !errors.Is(err, ErrUnresolvable) || tc.want != "" && !slices.Equal(e.Env, []string{tc.want}) {
			t.Errorf("%s: %v, %v", tc.name, e.Env, err)
		}
	}
}

// Of each spec its own edits come once and first, then the devices' in the order in which they are named; nothing that was
// read is changed by that.
func TestEditsInOrder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a.yaml": "cdiVersion: 0.7.0\nkind: a/x\ncontainerEdits: {env: [A=all], additionalGids: [1]}\ndevices:\n- {name: \"0\", containerEdits: {env: [A=0], mounts: [{hostPath: /0, containerPath: /0}]}}\n- {name: \"1\", containerEdits: {env: [A=1], hooks: [{hookName: prestart, path: /1}]}}\n",
		"b.yaml": "cdiVersion: 0.7.0\nkind: b/x\ncontainerEdits: {env: [B=all], additionalGids: [2]}\ndevices:\n- {name: \"0\", containerEdits: {env: [B=0], deviceNodes: [{path: /dev/b}]}}\n",
	})
	s := Load([]string{dir})
	var first any
	for range 2 {
		e, err := s.Edits([]string{"a/x=1", "b/x=0", "a/x=0", "a/x=1"})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"A=all", "A=1", "B=all", "B=0", "A=0"}; !slices.Equal(e.Env, want) || !slices.Equal(e.AdditionalGIDs, []uint32{1, 2}) {
			t.Errorf("environment %v, want %v; groups %v", e.Env, want, e.AdditionalGIDs)
		}
		if len(e.Mounts) != 1 || len(e.Hooks) != 1 || len(e.DeviceNodes) != 1 {
			t.Errorf("%+v", e)
		}
		if first != nil && !reflect.DeepEqual(first, e) {
			t.Errorf("a second time it is %+v", e)
		}
		first = e
	}
	if e, err := s.Edits(nil); err != nil || e.Env != nil || e.AdditionalGIDs != nil {
		t.Errorf("of no devices: %+v, %v", e, err)
	}
	if e, err := s.Edits([]string{"a/x=0", "a/x"}); err == nil || e.Env != nil {
		t.Errorf("half of it: %+v, %v", e, err)
	}
}

func TestAnnotatedDevices(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		want        []string
	}{
		{"none", nil, nil},
		{"empty", map[string]string{"cdi.k8s.io/a": ""}, nil},
		{"commas and space alone", map[string]string{"cdi.k8s.io/a": " , ,"}, nil},
		{"several", map[string]string{"cdi.k8s.io/a": "v/c=1 ,v/c=2"}, []string{"v/c=1", "v/c=2"}},
		{"by key", map[string]string{"cdi.k8s.io/z": "v/c=1", "cdi.k8s.io/b": "v/c=2", "cdi.k8s.io/": "v/c=3"}, []string{"v/c=3", "v/c=2", "v/c=1"}},
		{"another prefix", map[string]string{"cdi.k8s.iox/a": "v/c=1", "xcdi.k8s.io/a": "v/c=1", "CDI.k8s.io/a": "v/c=1"}, nil},
	} {
		if got := Annotated(tc.annotations); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if want := []string{"/etc/cdi", "/var/run/cdi"}; !slices.Equal(DefaultDirs(), want) { // SPEC.md: later ones go before
		t.Errorf("specs are in %v", DefaultDirs())
	}
}

// A watcher that watches nothing can be closed, and so can one whose folders are not there yet.
func TestWatcherOfNothing(t *testing.T) {
	t.Parallel()
	var none Watcher
	if err := errors.Join(none.Start(nil, nil), none.Close()); err != nil {
		t.Error(err)
	}
	var w Watcher
	if err := w.Start([]string{filepath.Join(t.TempDir(), "a", "b")}, func() {}); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

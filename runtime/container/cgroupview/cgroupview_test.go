package cgroupview

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
)

// What is mounted here is gone with the namespace.
func TestMain(m *testing.M) { nstest.Main(m) }

func TestList(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		hierarchies []string
		cgroup      string
		want        string
	}{
		{"none", nil, "/podd/c", "/view"},
		{"one", []string{"/sys/fs/cgroup/pids"}, "/podd/c", "/view\npids /sys/fs/cgroup/pids/podd/c"},
		{
			"several controllers in one",
			[]string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/systemd"},
			"podd/c",
			"/view\ncpu,cpuacct /sys/fs/cgroup/cpu,cpuacct/podd/c\nsystemd /sys/fs/cgroup/systemd/podd/c",
		},
		{"the root", []string{"/sys/fs/cgroup/pids/"}, "/", "/view\npids /sys/fs/cgroup/pids"},
	} {
		if got := string(List("/view", tc.hierarchies, tc.cgroup)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// bundle is a container's folder with the root that its init is in, and a list.
func bundle(t *testing.T, list []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	if list != nil {
		if err := os.WriteFile(filepath.Join(dir, File), list, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, "root"))
}

// hierarchies are folders as those of cgroups, in each a container's with a file that has its name.
func hierarchies(t *testing.T, names ...string) (dirs []string) {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		dir := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Join(dir, "podd/c"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "podd/c/tasks"), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestMount(t *testing.T) {
	nstest.NeedRoot(t)
	dirs, view := hierarchies(t, "pids", "cpu,cpuacct", "systemd"), t.TempDir()
	t.Cleanup(func() { _ = unix.Unmount(view, unix.MNT_DETACH) })
	bundle(t, List(view, dirs, "podd/c"))
	t.Setenv("_LIBCONTAINER_INITTYPE", "standard")
	if err := Mount(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(view)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"cpu", "cpu,cpuacct", "cpuacct", "pids", "systemd"}; !slices.Equal(names, want) {
		t.Errorf("the view has %v, want %v", names, want)
	}
	// A hierarchy of two controllers is found by either name, with a link that stays within the view.
	for name, want := range map[string]string{"pids": "pids", "systemd": "systemd", "cpu,cpuacct": "cpu,cpuacct", "cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct"} {
		if got, err := os.ReadFile(filepath.Join(view, name, "tasks")); string(got) != want || err != nil {
			t.Errorf("%s shows %q, %v", name, got, err)
		}
		if err := os.WriteFile(filepath.Join(view, name, "tasks"), nil, 0o600); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s can be written to: %v", name, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(view, "cpu")); target != "cpu,cpuacct" || err != nil {
		t.Errorf("cpu leads to %q, %v", target, err)
	}
	if err := os.Mkdir(filepath.Join(view, "more"), 0o755); !errors.Is(err, unix.EROFS) {
		t.Errorf("the view can be written to: %v", err)
	}
	const flags = unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC
	for _, at := range []string{"", "pids"} {
		var fs unix.Statfs_t
		if err := unix.Statfs(filepath.Join(view, at), &fs); err != nil || fs.Flags&flags != flags {
			t.Errorf("%q has the flags %#x, %v", at, fs.Flags, err)
		}
	}
	// Only the view is: what is bound there is the kernel's, and stays as it is for others.
	if err := os.WriteFile(filepath.Join(dirs[0], "podd/c/tasks"), nil, 0o600); err != nil {
		t.Errorf("the hierarchy itself is read-only: %v", err)
	}
}

// An exec is in the container's mounts already, and on version 2 there is no list.
func TestNothingToMount(t *testing.T) {
	for name, tc := range map[string]struct {
		initType string
		list     []byte
	}{
		"an exec":         {"setns", []byte("/none\npids /none")},
		"no init":         {"", []byte("/none\npids /none")},
		"without a list":  {"standard", nil},
		"exec, none":      {"setns", nil},
		"another, a list": {"Standard", []byte("/none")},
	} {
		t.Run(name, func(t *testing.T) {
			bundle(t, tc.list)
			t.Setenv("_LIBCONTAINER_INITTYPE", tc.initType)
			if err := Mount(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCannotMount(t *testing.T) {
	nstest.NeedRoot(t)
	t.Setenv("_LIBCONTAINER_INITTYPE", "standard")
	view, dirs := t.TempDir(), hierarchies(t, "pids")
	for _, tc := range []struct {
		name string
		list []byte
		want string
		is   error
	}{
		{"no view", List(view+"/none", nil, ""), "cannot mount " + view + "/none: ", unix.ENOENT},
		{"nothing written", []byte{}, "cannot mount : ", unix.ENOENT},
		{"the cgroup is gone", List(view, dirs, "podd/gone"), "cannot bind cgroup " + dirs[0] + "/podd/gone: ", unix.ENOENT},
		{"one twice", List(view, []string{dirs[0], dirs[0]}, "podd/c"), "cannot bind cgroup " + dirs[0] + "/podd/c: ", unix.EEXIST},
		{"a damaged line", []byte(view + "\npids"), "cannot bind cgroup : ", unix.EINVAL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Cleanup(func() { _ = unix.Unmount(view, unix.MNT_DETACH) })
			bundle(t, tc.list)
			if err := Mount(); err == nil || !strings.HasPrefix(err.Error(), tc.want) || !errors.Is(err, tc.is) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	t.Run("a folder in the place of the list", func(t *testing.T) {
		bundle(t, nil)
		if err := os.Mkdir("../"+File, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Mount(); err == nil || !strings.HasPrefix(err.Error(), "cannot read where the cgroups are: ") {
			t.Error(err)
		}
	})
}

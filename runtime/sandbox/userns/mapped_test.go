package userns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
)

// holder is a process with ids of its own, from first on, which waits until the test is over.
func holder(t *testing.T, first, count int) (pid int) {
	t.Helper()
	nstest.NeedRoot(t)
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: first, Size: count}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	must(t, err, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func namespaceOf(pid int) string { return fmt.Sprintf("/proc/%d/ns/user", pid) }

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// onTmpfs is a folder on a file system that can be mapped, where the kernel can.
func onTmpfs(t *testing.T) string {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "podd-userns-")
	must(t, err)
	t.Cleanup(func() {
		if n := nstest.MountsBelow(t, dir); n != 0 {
			t.Errorf("%d mounts are left", n)
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func TestRangeOf(t *testing.T) {
	if r, ok := RangeOf(holder(t, 7*unit, unit)); !ok || r != (Range{7 * unit, unit}) {
		t.Errorf("it has %v, %t", r, ok)
	}
	if r, ok := RangeOf(os.Getpid()); ok {
		t.Errorf("the machine's ids are taken for the pod's %v", r)
	}
	if r, ok := RangeOf(1 << 30); ok {
		t.Errorf("a process that is not there has %v", r)
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]Range{"65536+65536": {unit, unit}, "131072+1": {2 * unit, 1}, "0+5": {0, 5}} {
		if got, ok := parseRange(text); !ok || got != want || got.String() != text {
			t.Errorf("%s: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "+", "65536", "65536+", "+65536", "65536+0", "-1+5", "65536+-1", "4294967296+1", "4294901760+65536", "65536+65536+1", "a+b"} {
		if got, ok := parseRange(text); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestOverlaps(t *testing.T) {
	r := Range{100, 10}
	for other, want := range map[Range]bool{
		{90, 10}: false, {90, 11}: true, {100, 10}: true, {105, 1}: true, {109, 5}: true, {110, 5}: false, {0, 1000}: true,
	} {
		if r.overlaps(other) != want || other.overlaps(r) != want {
			t.Errorf("%v and %v: %t", r, other, !want)
		}
	}
}

// Folders are shown with the owners of a user namespace, each at its place, and taken away again.
func TestMapAll(t *testing.T) {
	root := onTmpfs(t)
	ns := namespaceOf(holder(t, 3*unit, unit))
	var folders []string
	for _, name := range []string{"one", "two"} {
		dir := filepath.Join(root, name)
		must(t, os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "root"), []byte(name), 0o600), os.WriteFile(filepath.Join(dir, "user"), nil, 0o600),
			os.Chown(filepath.Join(dir, "user"), 1000, 1001))
		folders = append(folders, dir)
	}
	dir := filepath.Join(root, "mapped")
	for range 2 { // the second time what a crash has left is there
		places, err := MapAll(dir, ns, folders)
		must(t, err)
		for i, place := range places {
			var st unix.Stat_t
			must(t, unix.Stat(filepath.Join(place, "root"), &st))
			text, err := os.ReadFile(filepath.Join(place, "root"))
			if err != nil || string(text) != filepath.Base(folders[i]) || st.Uid != 3*unit || st.Gid != 3*unit {
				t.Errorf("place %d has %q of %d:%d, %v", i, text, st.Uid, st.Gid, err)
			}
			must(t, unix.Stat(filepath.Join(place, "user"), &st))
			if st.Uid != 3*unit+1000 || st.Gid != 3*unit+1001 {
				t.Errorf("place %d: a user's file is of %d:%d", i, st.Uid, st.Gid)
			}
		}
		if n := nstest.MountsBelow(t, dir); n != 2 {
			t.Errorf("%d mounts", n)
		}
	}
	must(t, Unmap(dir), Unmap(dir))
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(folders[0], "user"), &st))
	if st.Uid != 1000 {
		t.Errorf("the file itself is of %d now", st.Uid)
	}
}

// Of several folders one that cannot be shown leaves none, and says why.
func TestMapAllFails(t *testing.T) {
	root := onTmpfs(t)
	ns := namespaceOf(holder(t, 3*unit, unit))
	good, dir := filepath.Join(root, "good"), filepath.Join(root, "mapped")
	must(t, os.Mkdir(good, 0o755))
	for name, tc := range map[string]struct {
		ns, folder, says string
		unmappable       bool
	}{
		"a folder that is not there":    {ns: ns, folder: filepath.Join(root, "none"), says: "cannot take hold of"},
		"a file system that cannot":     {ns: ns, folder: "/proc/sys", says: "set hostUsers: true", unmappable: true},
		"a namespace that is not there": {ns: filepath.Join(root, "none"), folder: good, says: "cannot open a user namespace"},
		"what is no namespace":          {ns: "/etc/hostname", folder: good},
	} {
		_, err := MapAll(dir, tc.ns, []string{good, tc.folder})
		var u *UnmappableError
		if err == nil || !strings.Contains(err.Error(), tc.says) || tc.unmappable && (!errors.As(err, &u) || u.Path != tc.folder || errors.Unwrap(u) == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is left: %v", name, dir, err)
		}
		if err := Check(tc.folder, tc.ns); err == nil {
			t.Errorf("%s: the check says that it goes", name)
		}
	}
	must(t, Check(good, ns))
}

// Somebody's files in the folder of mounts are not removed with it.
func TestUnmapKeepsFiles(t *testing.T) {
	root := onTmpfs(t)
	keep := filepath.Join(root, "mapped", "0", "keep")
	must(t, os.MkdirAll(filepath.Dir(keep), 0o700), os.WriteFile(keep, nil, 0o600))
	if err := Unmap(filepath.Join(root, "mapped")); err == nil {
		t.Error("nothing is said of it")
	}
	if _, err := os.Lstat(keep); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestKnownToMap(t *testing.T) {
	nstest.NeedRoot(t)
	for path, want := range map[string]bool{"/proc": false, "/sys": false, "/dev/shm": true, "/none/there": true} {
		if name, ok := KnownToMap(path); ok != want || name == "" {
			t.Errorf("%s is on %q: %t", path, name, ok)
		}
	}
}

package device

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// devFolder is a folder in /dev with a device, two links and a folder.
func devFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev", "podd-test-")
	if err != nil {
		t.Skipf("needs root: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	mknod(t, filepath.Join(dir, "stick"), 10, 235)
	for at, target := range map[string]string{"by-id/usb-Stick": "../stick", "by-id/dead": "../none"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(at)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mknod(t *testing.T, path string, major, minor uint32) {
	t.Helper()
	if err := unix.Mknod(path, unix.S_IFCHR|0o660, int(unix.Mkdev(major, minor))); err != nil {
		t.Skipf("no device can be made here (CAP_MKNOD): %v", err)
	}
}

func TestFormOf(t *testing.T) {
	dir := devFolder(t)
	outside := filepath.Join(t.TempDir(), "stick")
	mknod(t, outside, 10, 235)
	for path, want := range map[string]Form{
		filepath.Join(dir, "stick"):           File,
		filepath.Join(dir, "by-id/usb-Stick"): File,
		outside:                               File,
		dir:                                   Folder,
		filepath.Join(dir, "by-id"):           Folder,
		filepath.Join(dir, "none"):            Gone,
		filepath.Join(dir, "by-id/dead"):      Gone,
		filepath.Dir(outside):                 Other, // a folder that happens to hold a device
		filepath.Dir(outside) + "/none":       Other,
		"/dev":                                Other, // all of them, and /: nobody asks for the disks that way
		"/dev/.":                              Other,
		"/":                                   Other,
		"/dev/pts":                            Other, // the machine's terminals
	} {
		if got := FormOf(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestReadFolder(t *testing.T) {
	dir := devFolder(t)
	got, err := ReadFolder(dir)
	if err != nil || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	if n := got["stick"].Node; n == nil || n.Number() != "c 10:235" {
		t.Errorf("the device is %v", n)
	}
	if e := got["by-id/usb-Stick"]; e.Link != "../stick" || e.Target == nil || e.Target.Minor != 235 {
		t.Errorf("the link is %+v", e)
	}
	if e := got["by-id/dead"]; e.Link != "../none" || e.Target != nil {
		t.Errorf("the link to nothing is %+v", e)
	}
}

// A new folder is watched, too: /dev/serial/by-id is made with its first link.
func TestWatcher(t *testing.T) {
	dir := devFolder(t)
	news := make(chan struct{}, 100)
	w := &Watcher{Changed: func() { news <- struct{}{} }}
	defer func() { _ = w.Close() }()
	if err := w.Watch(filepath.Join(dir, "stick")); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		func() error { return os.Chmod(filepath.Join(dir, "stick"), 0o600) },
		func() error { return os.Remove(filepath.Join(dir, "stick")) },
		func() error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) },
		func() error { return os.Symlink("x", filepath.Join(dir, "new", "link")) },
	} {
		for len(news) > 0 {
			<-news
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		<-news
	}
}

package folder

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inMountNamespace runs the test in a copy of the test binary that has a mount namespace of its own, and returns true
// in that copy.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	const env = "MANIFEST_TEST_MOUNTS"
	if os.Getenv(env) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to mount")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func TestUnmountedCardRemovesNothing(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	b := newBoard(t)
	// Cards are ext4 file systems in a loop-mounted file as a rule; a tmpfs that a second mount keeps is as good.
	keep := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("card", keep, "tmpfs", 0, ""))
	must(os.WriteFile(filepath.Join(keep, "a.yaml"), []byte(podYAML("a", "one")), 0o644))
	hints := watchHints(t, b.f)
	mount := func() error { return unix.Mount(keep, b.dir, "", unix.MS_BIND, "") }
	base := filepath.Base(b.dir)

	must(mount())
	awaitFolder(t, b.f, hints, "a.yaml/a@one")
	must(unix.Unmount(b.dir, 0))
	awaitFolder(t, b.f, hints, "a.yaml/a@one; "+base+": ManifestFolderGone ; gone")
	must(mount())
	awaitFolder(t, b.f, hints, "a.yaml/a@one")

	// The next podd starts while the card is out.
	seed := b.f.Scan(time.Now()).Pods
	must(unix.Unmount(b.dir, 0))
	awaitFolder(t, b.f, hints, "a.yaml/a@one; "+base+": ManifestFolderGone ; gone")
	next := Open(Options{Dir: b.dir, CacheDir: b.cache, Seed: seed})
	if got := show(next.Scan(time.Now())); got != "a.yaml/a@one; "+base+": ManifestFolderGone ; gone" {
		t.Errorf("after a restart without the card the folder says %q", got)
	}

	// An emptied card is something else.
	must(mount())
	awaitFolder(t, b.f, hints, "a.yaml/a@one")
	must(os.Remove(b.path("a.yaml")))
	awaitFolder(t, b.f, hints, "")
	must(unix.Unmount(b.dir, 0))
	must(unix.Unmount(keep, 0))
}

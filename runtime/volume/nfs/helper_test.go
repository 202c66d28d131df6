package nfs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "podd/runtime/container/reexec" // the process that makes the call is this program
)

// One system call by a process of its own: its error comes back, what it is told arrives, and it ends with its context.
func TestCall(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "a b,c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := callLook(ctx, dir); err != nil {
		t.Errorf("looking at a folder: %v", err)
	}
	if err := callLook(ctx, dir+"/none"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("looking at nothing: %v", err)
	}
	if err := callUnmount(ctx, dir, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("unmounting what is not mounted: %v", err)
	}
	if err := call(ctx, nil, "mount", "x", dir, "no such type", "0", ""); !errors.Is(err, unix.ENODEV) {
		t.Errorf("mounting an unknown type: %v", err)
	}
	if err := call(ctx, nil, "something", "else"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an unknown call: %v", err)
	}
	if err := call(ctx, nil, "mount", "nas:/x", dir, "tmpfs", "1", "size=64k"); err != nil {
		t.Fatalf("mounting: %v", err)
	}
	if mounted, err := mountsAt(dir); err != nil || len(mounted) != 1 || mounted[0].Source != "nas:/x" {
		t.Errorf("mounted: %+v, %v", mounted, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("the flags did not arrive: %v", err)
	}
	if err := callForce(ctx, dir); err != nil {
		t.Errorf("forcing: %v", err)
	}
	if mounted, err := mountsAt(dir); err != nil || len(mounted) != 1 {
		t.Errorf("after forcing: %+v, %v", mounted, err)
	}
	if err := unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		t.Errorf("unmounting: %v", err)
	}
	if mounted, err := mountsAt(dir); err != nil || len(mounted) != 0 {
		t.Errorf("after unmounting: %+v, %v", mounted, err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := callLook(over, dir); err != nil && !errors.Is(err, ErrNoAnswer) {
		t.Errorf("after its end: %v", err)
	}
}

// Only one process mounts at a place, and what is mounted there is not mounted again.
func TestMountsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pod", "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(lockOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	share := &Share{Server: "127.0.0.1", Path: "/x"}
	if err := mountOnce(t.Context(), dir, share); !errors.Is(err, errGoesOn) {
		t.Errorf("beside another process: %v", err)
	}
	_ = lock.Close()
	if os.Geteuid() != 0 {
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := mountOnce(t.Context(), dir, share); err != nil {
		t.Errorf("what is mounted: %v", err)
	}
	if mounted, err := mountsAt(dir); err != nil || len(mounted) != 1 {
		t.Errorf("mounted %d times, %v", len(mounted), err)
	}
}

// A mount that takes long goes on by itself; who asks again is told of its end, once.
func TestMountGoesOn(t *testing.T) {
	ended := make(chan string, 1)
	m := Mounter{Ended: func(target string) { ended <- target }}
	target := filepath.Join(t.TempDir(), "data")
	j := &job{cancel: func() {}, done: make(chan struct{})}
	m.jobs = map[string]*job{target: j}
	share := &Share{Server: "nas", Path: "/x"}
	for range 2 {
		if err := m.Mount(target, share); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("while it goes on: %v", err)
		}
	}
	m.mu.Lock()
	left := j.left
	j.err = &mountError{"nas:/x", unix.ETIMEDOUT}
	m.mu.Unlock()
	if !left {
		t.Error("nobody will be told of its end")
	}
	close(j.done)
	if err := m.Mount(target, share); !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("after its end: %v", err)
	}
	if len(m.jobs) != 0 {
		t.Error("its end is told for ever")
	}
	// The end of a pod ends its mounts.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	j = &job{cancel: cancel, done: make(chan struct{})}
	m.jobs[target] = j
	go func() {
		<-ctx.Done()
		close(j.done)
	}()
	if err := m.Unmount(filepath.Dir(target)); err != nil || !errors.Is(ctx.Err(), context.Canceled) || len(m.jobs) != 0 {
		t.Errorf("at the end of its pod: %v, %v", err, ctx.Err())
	}
}

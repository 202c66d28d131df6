// Package hangtest has a file system that never answers, for tests of those who read files: FUSE without its server.
package hangtest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Mount covers dir with a file system that does not answer, in the mount namespace of the process, which must be the
// test's own. back takes it away: whoever waits for it is told that its server is gone, and dir is what it was before.
func Mount(t testing.TB, dir string) (back func()) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	if err := unix.Mount("hangs", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", f.Fd())); err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	back = sync.OnceFunc(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(back)
	return back
}

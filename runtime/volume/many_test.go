package volume

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A container may make more names than podd has memory for: they are not held all at once.
func TestManyNames(t *testing.T) {
	needRoot(t)
	const files = 50_000
	dir := filepath.Join("/dev/shm", fmt.Sprintf("podd-many-%d", os.Getpid())) // in memory: it is a matter of seconds on a disk
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	parent, err := openFolder(unix.AT_FDCWD, dir, 0)
	must(t, err)
	defer closeFD(parent)
	long := strings.Repeat("n", 240)
	for i := range files {
		must(t, unix.Mknodat(parent, fmt.Sprintf("%s%d", long, i), unix.S_IFREG|0o600, 0))
	}
	group, seen := int64(7), 0
	for name, work := range map[string]func() error{
		"walking": func() error {
			return walk(parent, func(int, string, *unix.Stat_t) error { seen++; return nil })
		},
		"owning": func() error { return Own(dir, Owner{Group: &group}) },
	} {
		if most := peak(t, work); most > 5<<20 {
			t.Errorf("%s takes %d bytes", name, most)
		}
	}
	if seen != files {
		t.Errorf("%d of %d files were seen", seen, files)
	}
	if most := peak(t, func() error { return Remove(dir) }); most > 5<<20 {
		t.Errorf("removing takes %d bytes", most)
	}
	isGone(t, dir)
}

// peak is by how much the heap grows at most.
func peak(t *testing.T, work func() error) uint64 {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	before, most := now.HeapAlloc, uint64(0)
	done := make(chan error, 1)
	go func() { done <- work() }()
	for {
		select {
		case err := <-done:
			must(t, err)
			return most
		case <-time.After(time.Millisecond):
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(before, now.HeapAlloc))
		}
	}
}

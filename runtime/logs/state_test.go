package logs

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestStateKeepsTheVersionBefore is what makes a store atomic: until the last word
// is written, the state before stands untouched.
func TestStateKeepsTheVersionBefore(t *testing.T) {
	var p page
	for i := range int64(5) {
		before := p.load()
		p.store(state{length: i + 1})
		if got := p.load().length; got != i+1 {
			t.Fatalf("stored %d, loaded %d", i+1, got)
		}
		if p.versions[p.valid.Load()^1] != before {
			t.Fatalf("store %d has touched the version before", i+1)
		}
	}
}

// TestStateLayout holds what another process finds in the file.
func TestStateLayout(t *testing.T) {
	dir := t.TempDir()
	memory, p, err := mapState(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.store(state{inode: 0x0102030405060708})
	if err := unix.Munmap(memory); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	inode := (*uint64)(unsafe.Pointer(&data[8+96+48]))
	if len(data) != os.Getpagesize() || data[0] != stateLayout || data[4] != 1 || *inode != 0x0102030405060708 {
		t.Errorf("%d bytes: % x", len(data), data[:8+2*96])
	}
	if size := unsafe.Sizeof(page{}); size != 8+2*96 {
		t.Errorf("the page has %d bytes: a new layout needs a new number", size)
	}
}

func TestSinksAreSmall(t *testing.T) {
	if size := unsafe.Sizeof(Sink{}); size > 384 {
		t.Errorf("a sink has %d bytes", size)
	}
}

package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path, Exclusive, nil)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := Try(path, Exclusive, nil); second != nil || err != nil {
		t.Errorf("a second holder: %v, %v", second, err)
	}
	if second, err := Try(path, Shared, nil); second != nil || err != nil {
		t.Errorf("a sharer beside the holder: %v, %v", second, err)
	}
	if pid := Holder(path); pid != os.Getpid() {
		t.Errorf("holder %d, want %d", pid, os.Getpid())
	}
	first.Close()
	if pid := Holder(path); pid != 0 {
		t.Errorf("holder %d of what nobody holds", pid)
	}
	a, errA := Try(path, Shared, nil)
	b, errB := Try(path, Shared, nil)
	if a == nil || b == nil || errA != nil || errB != nil {
		t.Errorf("two sharers: %v, %v", errA, errB)
	}
	a.Close()
	b.Close()
}

// A lock on a file that was removed keeps nobody out: the next one must lock the file that is there.
func TestTheFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path, Exclusive, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		second, err := Wait(path, Exclusive, nil)
		if err == nil && !isAt(second.f, path) {
			err = errors.New("it is not the file that is there")
		}
		second.Close()
		got <- err
	}()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoFileHoldsNoLock(t *testing.T) {
	for name, put := range map[string]func(string) error{
		"FIFO":   func(p string) error { return unix.Mkfifo(p, 0o600) },
		"link":   func(p string) error { return os.Symlink("/nowhere/at/all", p) },
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		path := filepath.Join(t.TempDir(), "lock")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		l, err := Try(path, Exclusive, nil)
		if err != nil || l == nil {
			t.Errorf("%s: %v", name, err)
		}
		l.Close()
	}
}

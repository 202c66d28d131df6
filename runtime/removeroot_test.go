package runtime

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A container may make its root deeper than podd may open files.
func TestRemoveRootOfAnyDepth(t *testing.T) {
	r, err := New(Config{RunDir: t.TempDir(), RootDir: t.TempDir(), LogDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	upper := filepath.Join(r.engine.RootDir, "id", "upper")
	if err := errors.Join(os.MkdirAll(upper, 0o755), makeDeep(upper, 1000)); err != nil {
		t.Fatal(err)
	}
	allowFiles(t, 600)
	if err := r.engine.RemoveRoot("id"); err != nil {
		t.Errorf("%.200s", err)
	}
	if _, err := os.Lstat(filepath.Dir(upper)); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func makeDeep(dir string, depth int) error {
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_PATH, 0)
	for range depth {
		if err != nil {
			return err
		}
		next := -1
		if err = unix.Mkdirat(fd, "n", 0o755); err == nil {
			next, err = unix.Openat(fd, "n", unix.O_DIRECTORY|unix.O_PATH, 0)
		}
		_ = unix.Close(fd)
		fd = next
	}
	return errors.Join(err, unix.Close(fd))
}

// allowFiles limits for the time of the test how many files the process may have open.
func allowFiles(t *testing.T, most uint64) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
}

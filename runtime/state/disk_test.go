package state

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podd/internal/atomicfile"
)

func testDisk(damaged atomicfile.Report) (*Disk, *strings.Builder) {
	var log strings.Builder
	return &Disk{Log: slog.New(slog.NewTextHandler(&log, nil)), Damaged: damaged}, &log
}

// What is written is what the value was when it was asked for, and the last one stays.
func TestPersist(t *testing.T) {
	d, log := testDisk(nil)
	path := filepath.Join(t.TempDir(), "folder", "file.json")
	value := map[string]int{"a": 1}
	d.Persist(path, value, "a number")
	value["a"] = 2
	d.Persist(path, value, "a number")
	value["a"] = 3
	d.Wait()
	if data, err := os.ReadFile(path); err != nil || string(data) != `{"a":2}` {
		t.Errorf("read %q: %v", data, err)
	}
	d.Remove(path)
	d.Wait()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("it is still there")
	}
	if log.Len() > 0 {
		t.Error(log)
	}
	d.Persist(path, func() {}, "what cannot be kept")
	d.Wait()
	if !strings.Contains(log.String(), "cannot keep what cannot be kept") {
		t.Errorf("log %q", log)
	}
}

// A file that is damaged is set aside and told; one that is not there is no news; anything else is in the log.
func TestRestored(t *testing.T) {
	var told []string
	d, log := testDisk(func(_ *atomicfile.Damage, lost string) { told = append(told, lost) })
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var into map[string]int
	d.SetAside([]error{atomicfile.PeekJSON(path, &into, nil), os.ErrNotExist}, "the number")
	if len(told) != 1 || told[0] != "the number" || log.Len() > 0 {
		t.Errorf("told %q, log %q", told, log)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the damaged file is in its place")
	}
	d.Restored(nil, "nothing")
	d.Restored(errors.New("no disk"), "all")
	if len(told) != 1 || !strings.Contains(log.String(), "no disk") || !strings.Contains(log.String(), "lost=all") {
		t.Errorf("told %q, log %q", told, log)
	}
}

// A write that fails is told with its cause: the disk may be full.
func TestPersistFails(t *testing.T) {
	d, log := testDisk(nil)
	var failed error
	d.Failed = func(err error) { failed = err }
	d.Persist(filepath.Join(t.TempDir(), strings.Repeat("n", 256)), 1, "a number") // longer than a name may be
	d.Wait()
	if failed == nil || !strings.Contains(log.String(), "cannot keep a number") {
		t.Errorf("told %v, log %q", failed, log)
	}
}

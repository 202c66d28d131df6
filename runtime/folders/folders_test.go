package folders

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/state"
)

// onDisk are folders below a temporary one, of a boot of its own.
func onDisk(t *testing.T) (*Folders, *[]string) {
	t.Helper()
	dir, told := t.TempDir(), new([]string)
	f := &Folders{
		Run: filepath.Join(dir, "run"), Root: filepath.Join(dir, "lib"), Logs: filepath.Join(dir, "log"), Passed: []string{filepath.Join(dir, "run/roots")},
		Records: filepath.Join(dir, "run/pods"), Containers: filepath.Join(dir, "run/containers"), IO: filepath.Join(dir, "run/io"),
		Private: []string{filepath.Join(dir, "lib/pods")}, BootID: filepath.Join(dir, "boot_id"),
		SetAside: func(err error, consequence string) {
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				*told = append(*told, consequence)
			}
		},
		Runs: func() bool { return false },
	}
	if err := os.WriteFile(f.BootID, []byte("this boot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Ensure(); err != nil {
		t.Fatal(err)
	}
	return f, told
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// Nobody but root sees what is of pods, and the roots of those with ids of their own can be passed through.
func TestEnsure(t *testing.T) {
	f, _ := onDisk(t)
	if err := os.Chmod(f.Records, 0o755); err != nil { // as an earlier podd made it
		t.Fatal(err)
	}
	if err := f.Ensure(); err != nil {
		t.Fatal(err)
	}
	for dir, mode := range map[string]os.FileMode{f.Records: 0o700, f.Containers: 0o700, f.Private[0]: 0o700, f.Passed[0]: 0o711, f.Logs: 0o711} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %o", dir, info.Mode(), err, mode)
		}
	}
	// What others may pass now was closed, and what is in it open.
	for name, mode := range map[string]os.FileMode{"open": 0o755, "passed": 0o710} {
		if err := errors.Join(os.Mkdir(filepath.Join(f.Passed[0], name), mode), os.Chmod(filepath.Join(f.Passed[0], name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(f.Passed[0], 0o700), f.Ensure()); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o711, "open": 0o750, "passed": 0o710} {
		if info, err := os.Stat(filepath.Join(f.Passed[0], name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v, %v; want %o", name, info.Mode(), err, mode)
		}
	}
	put(t, filepath.Join(f.Root, "file"), "")
	f.Private = []string{filepath.Join(f.Root, "file", "below")}
	if err := f.Ensure(); err == nil || !strings.Contains(err.Error(), "cannot make a folder") {
		t.Errorf("below a file: %v", err)
	}
}

// Records of another boot describe processes that are gone, and go. What runs is of this boot whatever the mark says; and where
// nothing says of which boot they are, records are set aside and not lost.
func TestForgetOtherBoot(t *testing.T) {
	for _, tc := range []struct {
		name, mark string
		runs       bool
		record     string // kept, gone, aside
		io         bool   // kept
		told       string
	}{
		{"the same boot", "this boot\n", false, "kept", true, ""},
		{"another boot", "last boot\n", false, "gone", false, ""},
		{"another boot, and pods run", "last boot\n", true, "kept", true, "it is written again"},
		{"no mark", "", false, "aside", false, "pods that do not run begin anew"},
		{"no mark, and pods run", "", true, "kept", true, ""},
		{"half a mark", "this", false, "aside", false, "nothing runs; what may be of an earlier boot is set aside pods that do not run begin anew"},
		{"half a mark, and pods run", "this", true, "kept", true, "it is written again, as pods of this boot run"},
	} {
		f, told := onDisk(t)
		f.Runs = func() bool { return tc.runs }
		if tc.mark != "" {
			put(t, f.mark(), tc.mark)
		}
		put(t, filepath.Join(f.Records, "u.json"), "{}")
		put(t, filepath.Join(f.IO, "u.c.0"), "")
		if err := f.forgetOtherBoot(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		is := "gone"
		if _, err := os.Stat(filepath.Join(f.Records, "u.json")); err == nil {
			is = "kept"
		} else if aside, _ := filepath.Glob(f.Records + ".damaged-*/u.json"); len(aside) == 1 {
			is = "aside"
		}
		if is != tc.record {
			t.Errorf("%s: the record is %s, want %s", tc.name, is, tc.record)
		}
		if _, err := os.Stat(filepath.Join(f.IO, "u.c.0")); (err == nil) != tc.io {
			t.Errorf("%s: descriptors: %v", tc.name, err)
		}
		if got := strings.Join(*told, " "); got != tc.told {
			t.Errorf("%s: told %q, want %q", tc.name, got, tc.told)
		}
		if mark, _ := os.ReadFile(f.mark()); string(mark) != "this boot\n" {
			t.Errorf("%s: the mark is %q", tc.name, mark)
		}
		for _, dir := range []string{f.Records, f.Containers, f.IO} {
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	}
	f, _ := onDisk(t)
	f.BootID = filepath.Join(f.Root, "none")
	if err := f.forgetOtherBoot(); err == nil {
		t.Error("of a machine that does not say which boot it is all is believed")
	}
}

// podd tries to write where it could not, ever less often, and says what is wrong by its name, until all is well again.
func TestMonitor(t *testing.T) {
	f, _ := onDisk(t)
	put(t, filepath.Join(f.Root, ".claims.json.tmp"), "ha")
	f.Small = []string{f.Root}
	now := state.Instant{Mono: state.BootTime(time.Hour)}
	tried := make(chan map[string]error, 1)
	reported := map[string]error{}
	var images error
	m := &Monitor{
		Folders: f, Prepare: f.Ensure, Others: func() error { return images }, Tried: func(p map[string]error) { tried <- p },
		Report: func(what string, err error) { reported[what] = err },
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(f.Root, ".claims.json.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was being written is left: %v", err)
	}
	m.Suspect(errors.New("no such container"))
	m.Suspect(nil)
	if m.trying {
		t.Error("any error is taken for the disk's")
	}
	images = unix.ENOSPC
	for i, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		m.Try()
		m.Try() // one at a time
		if found := m.Take(<-tried, now); found != Unchanged || m.RetryAt() != now.After(wait) || !errors.Is(reported["images"], unix.ENOSPC) || reported["root"] != nil {
			t.Errorf("try %d: found %d, next at %s, reported %v", i, found, m.RetryAt(), reported)
		}
		m.Suspect(unix.EROFS)
		if m.trying {
			t.Error("while something is known to be wrong each error makes it tried again")
		}
	}
	images = nil
	m.Try()
	if found := m.Take(<-tried, now); found != Mended || m.RetryAt() != 0 || reported["images"] != nil {
		t.Errorf("after there is room: found %d, next at %s, %v", found, m.RetryAt(), reported)
	}
	m.Suspect(&os.PathError{Op: "write", Err: unix.EDQUOT})
	if !m.trying {
		t.Error("a quota that is used up is not looked at")
	}
	if found := m.Take(<-tried, now); found != Cleared || m.RetryAt() != 0 {
		t.Errorf("what an error has spoilt and is well by now: found %d", found)
	}
	m.Try()
	if found := m.Take(<-tried, now); found != Unchanged {
		t.Errorf("what was well is told to be well again: %d", found)
	}
	// An error of another disk comes again with each try: it is looked at once a minute.
	m.Suspect(unix.ENOSPC)
	soon := state.Instant{Mono: now.After(time.Second)}
	if found := m.Take(<-tried, soon); found != Unchanged || m.RetryAt() != now.After(time.Minute) {
		t.Errorf("a second later: found %d, next at %s", found, m.RetryAt())
	}
	m.Try()
	if found := m.Take(<-tried, state.Instant{Mono: now.After(time.Minute)}); found != Cleared || m.RetryAt() != 0 {
		t.Errorf("a minute later: found %d, next at %s", found, m.RetryAt())
	}
	for range 20 {
		m.Take(map[string]error{"root": unix.EIO}, now)
	}
	if m.RetryAt() != now.After(time.Minute) {
		t.Errorf("at last it is tried after %s", m.RetryAt().Sub(now.Mono))
	}
	entries, _ := os.ReadDir(f.Root)
	for _, e := range entries {
		if strings.Contains(e.Name(), "write-test") {
			t.Error("the test leaves its file behind")
		}
	}
}

func TestLook(t *testing.T) {
	f, _ := onDisk(t)
	if err := f.Look(); err != nil {
		t.Error(err)
	}
	f.Logs = filepath.Join(f.Root, "none")
	if err := f.Look(); err == nil || !strings.Contains(err.Error(), f.Logs) || strings.Contains(err.Error(), f.Run) {
		t.Errorf("%v", err)
	}
}

// A disk that is mended before it is tried for the first time was bad all the same: what the start has given up goes on.
func TestMendedBeforeTheFirstTry(t *testing.T) {
	tried := make(chan map[string]error, 1)
	bad := error(unix.EROFS)
	f := &Folders{Run: t.TempDir(), Root: t.TempDir(), Logs: t.TempDir()}
	m := &Monitor{
		Folders: f, Prepare: func() error { return bad }, Tried: func(p map[string]error) { tried <- p }, Report: func(string, error) {},
	}
	if err := m.Start(); !errors.Is(err, unix.EROFS) {
		t.Fatal(err)
	}
	<-tried
	if found := m.Take(map[string]error{"root": nil}, state.Instant{Mono: 1}); found != Mended {
		t.Errorf("found %d", found)
	}
}

package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// numbers from 1 to 4.
var numbers = Set[int]{
	Format: strconv.Itoa,
	Parse: func(name string) (int, bool) {
		n, err := strconv.Atoi(name)
		return n, err == nil && n > 0
	},
	Next: func(n int) int { return n%4 + 1 },
	Size: 4,
}

func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "leases")
	l := New(dir, numbers, nil)
	for _, step := range []struct {
		id    string
		value int
		want  error
	}{{"a", 3, nil}, {"a", 3, nil}, {"b", 3, ErrTaken}, {"a", 2, nil}, {"b", 3, nil}, {"", 1, ErrNobody}, {"b", 2, ErrTaken}} {
		if err := l.Claim(step.id, step.value); !errors.Is(err, step.want) {
			t.Errorf("%q claims %d: %v, want %v", step.id, step.value, err, step.want)
		}
	}
	l = New(dir, numbers, nil) // as another process sees it
	for id, want := range map[string]int{"a": 2, "b": 3} {
		if got, ok := l.Lookup(id); !ok || got != want {
			t.Errorf("%s has %d, %v, want %d", id, got, ok, want)
		}
	}
	// What is claimed is not given to anybody else.
	for _, id := range []string{"c", "d"} {
		if got, err := l.Acquire(id); err != nil || got == 2 || got == 3 {
			t.Errorf("%s got %d, %v", id, got, err)
		}
	}
	if _, err := l.Acquire("e"); !errors.Is(err, ErrExhausted) {
		t.Errorf("%v", err)
	}
}

// A lease that was lost can be claimed again, whatever stands in its place.
func TestWhatIsNoLease(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"file":   func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"FIFO":   func(p string) error { return unix.Mkfifo(p, 0o600) },
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		dir := t.TempDir()
		var reported []string
		report := atomicfile.Report(func(d *atomicfile.Damage, _ string) { reported = append(reported, filepath.Base(d.Path)) })
		if err := errors.Join(put(filepath.Join(dir, "2")), put(filepath.Join(dir, lastFile)), put(filepath.Join(dir, "notes"))); err != nil {
			t.Fatal(err)
		}
		l := New(dir, numbers, report)
		if err := l.Claim("a", 2); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := put(filepath.Join(dir, "3")); err != nil { // after the folder was read
			t.Fatal(err)
		}
		if err := l.Claim("b", 3); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if slices.Sort(reported); fmt.Sprint(reported) != "[2 3 last]" {
			t.Errorf("%s: reported %v", name, reported)
		}
	}
	dir := filepath.Join(t.TempDir(), "leases")
	if err := unix.Mkfifo(dir, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := New(dir, numbers, nil).Acquire("a"); err != nil || got != 1 {
		t.Errorf("a FIFO in the place of the folder: %d, %v", got, err)
	}
}

// A link to somewhere else is no lease: holders are no paths.
func TestALinkThatLeadsElsewhere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "2")); err != nil {
		t.Fatal(err)
	}
	if err := New(dir, numbers, nil).Claim("a", 2); err != nil {
		t.Error(err)
	}
}

// A link in the place of the folder is set aside: nothing is written where it leads.
func TestALinkInThePlaceOfTheFolder(t *testing.T) {
	elsewhere, dir := t.TempDir(), filepath.Join(t.TempDir(), "leases")
	if err := os.Symlink(elsewhere, dir); err != nil {
		t.Fatal(err)
	}
	reports := 0
	l := New(dir, numbers, func(*atomicfile.Damage, string) { reports++ })
	if _, err := l.Acquire("a"); err != nil || reports != 1 {
		t.Errorf("%v, reported %d times", err, reports)
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 0 {
		t.Errorf("written where the link leads: %v, %v", left, err)
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		t.Errorf("the folder is %v, %v", info, err)
	}
}

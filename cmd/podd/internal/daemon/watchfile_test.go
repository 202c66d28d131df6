package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFileChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	write := func(to, text string) {
		t.Helper()
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := fileChange{path: path}
	check := func(what string, want bool) {
		t.Helper()
		if got := f.seen(); got != want {
			t.Errorf("%s: changed is %v, want %v", what, got, want)
		}
		if f.seen() {
			t.Errorf("%s: it is seen twice", what)
		}
	}
	check("no file", false)
	write(path, "1")
	check("a file comes", true)
	write(path, "12")
	check("it is written", true)
	write(path+".new", "34")
	stamp(t, path, path+".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	check("one of the same size and time replaces it", true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check("it goes", true)
	if none := (fileChange{}); none.seen() {
		t.Error("without a path something changes")
	}
}

// stamp gives a file the time of another one.
func stamp(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(to, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

package cdi

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A folder that is made, changed, removed and made again is seen each time, and what else happens above it is not.
func TestWatcher(t *testing.T) {
	top := t.TempDir()
	dir, file := filepath.Join(top, "etc", "cdi"), filepath.Join(top, "etc", "cdi", "a.json")
	changed := make(chan struct{}, 100)
	var w Watcher
	if err := w.Start([]string{dir, top + "/other"}, func() { changed <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	write := func(text string) func() error {
		return func() error { return os.WriteFile(file, []byte(text), 0o600) }
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"the folder above", func() error { return os.Mkdir(filepath.Dir(dir), 0o755) }},
		{"the folder", func() error { return os.Mkdir(dir, 0o755) }},
		{"a file", write("1")},
		{"in place", write("2")},
		{"moved away", func() error { return os.Rename(dir, dir+".old") }},
		{"moved back", func() error { return os.Rename(dir+".old", dir) }},
		{"a file again", write("3")},
		{"all removed", func() error { return os.RemoveAll(filepath.Dir(dir)) }},
		{"all made at once", func() error { return os.MkdirAll(dir, 0o755) }},
		{"and a file", write("4")},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: not seen", step.name)
		}
		for len(changed) > 0 { // one step may be several events
			<-changed
		}
	}
	if err := os.WriteFile(filepath.Join(top, "unrelated"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write("5")(); err != nil {
		t.Fatal(err)
	}
	<-changed
}

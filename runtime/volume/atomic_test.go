package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func payload(pairs ...string) Payload {
	p := Payload{}
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i]] = File{Data: []byte(pairs[i+1]), Mode: 0o640}
	}
	return p
}

func write(t *testing.T, dir string, p Payload) bool {
	t.Helper()
	changed, err := Write(dir, p, Owner{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "..2") {
			list = append(list, e.Name())
		}
	}
	return strings.Join(list, " ")
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if !write(t, dir, payload("a", "1", "sub/b", "2", "sub/deep/c", "3")) {
		t.Error("the first write changed nothing")
	}
	for name, want := range map[string]string{"a": "1", "sub/b": "2", "sub/deep/c": "3"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s is %q, %v", name, data, err)
		}
	}
	if target, _ := os.Readlink(filepath.Join(dir, "sub")); target != "..data/sub" {
		t.Errorf("sub is a link to %q", target)
	}
	if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode of a: %v, %v", info, err)
	}
	write(t, dir, payload("a", "new", "z", "4"))
	if got := listing(t, dir); got != "..data a z" {
		t.Errorf("after the second write there is %q", got)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 4 {
		t.Errorf("an old version stays: %v", entries)
	}
}

// What has not changed is not written: neither a new version nor a change of the folder.
func TestWriteUnchanged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, payload("a", "1", "s/b", "2"))
	old := time.Unix(1000, 0)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	if write(t, dir, payload("a", "1", "s/b", "2")) {
		t.Error("the same payload was written again")
	}
	if info, err := os.Stat(dir); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the folder was touched: %v", err)
	}
	changed := payload("a", "1", "s/b", "2")
	changed["a"] = File{Data: []byte("1"), Mode: 0o600}
	if !write(t, dir, changed) {
		t.Error("a new mode changed nothing")
	}
}

// A daemon that died between two steps leaves nothing that the next write does not put right.
func TestWriteAfterCrash(t *testing.T) {
	for _, remains := range []string{"..data_tmp", "..2020_01_01_00_00_00.1", "a"} {
		dir := t.TempDir()
		if err := os.Symlink("nowhere", filepath.Join(dir, remains)); err != nil {
			t.Fatal(err)
		}
		write(t, dir, payload("a", "1"))
		if data, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(data) != "1" {
			t.Errorf("with %s: %q, %v", remains, data, err)
		}
		if got := listing(t, dir); got != "..data a" {
			t.Errorf("with %s: %q", remains, got)
		}
	}
}

// Where it died after the new version was in place, before the old names were taken away, nothing has changed for the next
// write, and they go all the same: one would be a link to nowhere for as long as the volume stays as it is.
func TestWriteAfterCrashBeforeSweep(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, payload("a", "1", "gone", "2"))
	for name, target := range map[string]string{"old": "..data/old", "..2020_01_01_00_00_00.1": "nowhere", "..data_tmp": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if write(t, dir, payload("a", "1", "gone", "2")) {
		t.Error("the payload was written again")
	}
	entries, err := os.ReadDir(dir)
	if got := listing(t, dir); err != nil || got != "..data a gone" || len(entries) != 4 {
		t.Errorf("there is %q, all: %v, %v", got, entries, err)
	}
}

func TestWriteRefusesPathsOutside(t *testing.T) {
	for _, name := range []string{"..", "../x", "/etc/passwd", "a/../../x", "..data", "", "a//b", "."} {
		if _, err := Write(t.TempDir(), payload(name, "x"), Owner{}, time.Now()); !errors.Is(err, ErrEscapes) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A volume whose insides were exchanged for links to elsewhere is put right, and elsewhere stays as it was.
func TestWriteIntoHostileFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"..data": outside, "..data_tmp": outside, "victim": victim, "sub": outside} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, payload("victim", "x", "sub/victim", "y"))
	if data, _ := os.ReadFile(victim); string(data) != "whole" {
		t.Errorf("the file outside is now %q", data)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "sub/victim")); string(data) != "y" {
		t.Errorf("the file inside is %q", data)
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 1 {
		t.Errorf("outside there is now %v", entries)
	}
}

// Readers see one version or the other, never parts of both: every file of a version says the same.
func TestWriteIsAtomic(t *testing.T) {
	dir := t.TempDir()
	version := func(i int) Payload {
		p := Payload{}
		for f := range 20 {
			p[fmt.Sprint("file", f)] = File{Data: fmt.Append(nil, i), Mode: 0o644}
		}
		return p
	}
	write(t, dir, version(0))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					readWhole(t, dir)
				}
			}
		})
	}
	for i := range 300 {
		write(t, dir, version(i+1))
	}
	close(stop)
	readers.Wait()
}

// readWhole opens the version once, as a careful reader does, and reads it all.
func readWhole(t *testing.T, dir string) {
	link := filepath.Join(dir, "..data")
	root, err := os.OpenRoot(link)
	if errors.Is(err, fs.ErrNotExist) {
		// The version has been removed between the link and its folder. The link itself is always there.
		if _, err := os.Lstat(link); err != nil {
			t.Error(err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer root.Close()
	first := ""
	for f := range 20 {
		data, err := root.ReadFile(fmt.Sprint("file", f))
		if errors.Is(err, fs.ErrNotExist) {
			return // the version has been removed meanwhile
		}
		if err != nil {
			t.Error(err)
			return
		}
		if first == "" {
			first = string(data)
		}
		if string(data) != first {
			t.Errorf("file%d says %q, others %q", f, data, first)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("a", "b/c")
	f.Add("..x", "a/../b")
	f.Add("a", "a/b")
	f.Fuzz(func(t *testing.T, one, two string) {
		up := t.TempDir()
		dir := filepath.Join(up, "volume")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = Write(dir, payload(one, "1", two, "2"), Owner{}, time.Now())
		if entries, err := os.ReadDir(up); err != nil || len(entries) != 1 {
			t.Errorf("%q and %q left %v", one, two, entries)
		}
	})
}

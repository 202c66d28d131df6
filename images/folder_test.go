package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podd/images/imagetest"
)

func importFolder(t *testing.T, s *Store, dir string) []ImportResult {
	t.Helper()
	results, err := s.ImportFolder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestImportFolder(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	if r := importFolder(t, s, filepath.Join(dir, "none")); len(r) != 0 {
		t.Fatalf("a folder that does not exist: %+v", r)
	}
	writeFile(t, dir, "a.tar", dockerArchive(t, hello("a", "1")))
	writeFile(t, dir, "bad.tar", []byte(strings.Repeat("no archive ", 100)))
	for _, ignored := range []string{".a.tar", "a.tar~", "a.tar.part", "a.tar.sha256", "README.md"} {
		writeFile(t, dir, ignored, []byte("x"))
	}
	if err := imagetest.OCIFolder(filepath.Join(dir, "c"), hello("c", "3")); err != nil {
		t.Fatal(err)
	}
	r := importFolder(t, s, dir)
	if len(r) != 3 || !r[0].New || r[0].Err != nil || len(r[0].Images) != 1 || !errors.Is(r[1].Err, ErrRefused) || r[2].Err != nil {
		t.Fatalf("first: %+v", r)
	}
	if text := r[1].Err.Error(); !strings.Contains(text, "bad.tar") || strings.Contains(text, "\n") {
		t.Errorf("the error is %q", text)
	}
	again := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	second := importFolder(t, again, dir)
	for i := range second {
		if second[i].New || (second[i].Err == nil) != (r[i].Err == nil) {
			t.Errorf("unchanged: %+v", second[i])
		}
	}
	if second[1].Err.Error() != r[1].Err.Error() {
		t.Errorf("the remembered error is %q", second[1].Err)
	}
}

func TestImportFolderSeesChanges(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	path := writeFile(t, dir, "a.tar", dockerArchive(t, hello("a", "1")))
	first := importFolder(t, s, dir)[0].Images[0]
	data := dockerArchive(t, hello("a", "2"))
	writeFile(t, dir, "a.tar", data[:len(data)/2])
	if r := importFolder(t, s, dir)[0]; !errors.Is(r.Err, ErrTruncated) || !r.New {
		t.Fatalf("cut short: %+v", r)
	}
	if img, err := s.Get("a"); err != nil || img.ID != first.ID {
		t.Fatalf("the old image is gone: %v", err)
	}
	writeFile(t, dir, "a.tar", data)
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if r := importFolder(t, s, dir)[0]; r.Err != nil || !r.New {
		t.Fatalf("changed: %+v", r)
	}
	if img, err := s.Get("a"); err != nil || img.ID == first.ID {
		t.Fatalf("the new image is not there: %v", err)
	}
}

func TestImportFolderWaitsForTheWriter(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	data := dockerArchive(t, hello("a", "1"))
	f, err := os.Create(filepath.Join(dir, "a.tar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{data[:700], data[700:]} {
		if r := importFolder(t, s, dir); len(r) != 1 || !r[0].Pending || r[0].Err != nil {
			t.Fatalf("while it is written: %+v", r)
		}
		if _, err := f.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if r := importFolder(t, s, dir); r[0].Err != nil || len(r[0].Images) != 1 {
		t.Fatalf("when it is written: %+v", r)
	}
}

func TestImportFolderNewestKeepsTheName(t *testing.T) {
	s, dir := openStore(t, Options{}), t.TempDir()
	young, old := hello("x", "young"), hello("x", "old")
	a, b := writeFile(t, dir, "a.tar", dockerArchive(t, young)), writeFile(t, dir, "b.tar", dockerArchive(t, old))
	for path, age := range map[string]time.Duration{a: time.Hour, b: 2 * time.Hour} {
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	importFolder(t, s, dir)
	if img, err := s.Get("x"); err != nil || img.ID != must(t, young.ID) {
		t.Fatalf("x is %v, %v", img.ID, err)
	}
}

func TestWatchFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	ctx, cancel := context.WithCancel(context.Background())
	hints := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() { done <- WatchFolder(ctx, dir, func() { hints <- struct{}{} }) }()
	hinted := func(what string, do func() error) {
		t.Helper()
		for len(hints) > 0 {
			<-hints
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-hints:
		case <-time.After(10 * time.Second):
			t.Fatalf("no hint after: %s", what)
		}
	}
	hinted("the folder appears", func() error { return os.MkdirAll(dir, 0o700) })
	hinted("an archive is written", func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600) })
	hinted("an archive is moved in", func() error {
		tmp := filepath.Join(filepath.Dir(dir), "b")
		if err := os.WriteFile(tmp, nil, 0o600); err != nil {
			return err
		}
		return os.Rename(tmp, filepath.Join(dir, "b"))
	})
	hinted("the folder goes", func() error { return os.RemoveAll(filepath.Dir(dir)) })
	hinted("the folder comes back", func() error { return os.MkdirAll(dir, 0o700) })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// The folders on the way may come at any step of the search for the nearest that is there.
func TestWatchFolderThatAppearsMeanwhile(t *testing.T) {
	for i := range 500 {
		dir := filepath.Join(t.TempDir(), "not", "yet")
		ctx, cancel := context.WithCancel(context.Background())
		hints, done := make(chan struct{}, 100), make(chan error, 1)
		go func() { done <- WatchFolder(ctx, dir, func() { hints <- struct{}{} }) }()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		select {
		case <-hints:
		case <-time.After(10 * time.Second):
			t.Fatalf("no hint of folder %d", i)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreWatch(t *testing.T) {
	s := openStore(t, Options{})
	other := must(t, func() (*Store, error) { return Open(s.root, Options{}) })
	ctx, cancel := context.WithCancel(context.Background())
	hints := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, func() { hints <- struct{}{} }) }()
	<-hints // the watch stands
	loadBytes(t, other, dockerArchive(t, hello("a", "1")))
	for _, err := s.Get("a"); err != nil; _, err = s.Get("a") {
		select {
		case <-hints:
			if err := s.Refresh(); err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the other store's change was not seen")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.List(), func(i Image) bool { return i.Names[0] == "docker.io/library/a:latest" }) {
		t.Fatal("the image is not listed")
	}
}

// The folders of a store may go between being made and being watched: that is no fault, they are made and watched again.
func TestStoreWatchOfFoldersThatGo(t *testing.T) {
	s := openStore(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	removed := make(chan struct{})
	go func() {
		defer close(removed)
		for ctx.Err() == nil {
			_ = os.RemoveAll(s.dir("i"))
		}
	}()
	for range 300 {
		if err := s.Watch(ctx, func() {}); err != nil {
			t.Errorf("the watch ends with: %v", err)
			break
		}
	}
	cancel()
	<-removed
}

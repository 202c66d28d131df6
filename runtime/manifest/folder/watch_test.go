package folder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/inotify"
)

// watchHints runs Watch and returns a channel of its hints.
func watchHints(t *testing.T, f *Folder) <-chan struct{} {
	t.Helper()
	hints := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, func() {
			select {
			case hints <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	<-hints // the first one tells that the watches stand
	f.Scan(time.Now())
	return hints
}

// awaitFolder scans at every hint until the folder says want.
func awaitFolder(t *testing.T, f *Folder, hints <-chan struct{}, want string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case <-hints:
		case <-deadline:
			t.Fatalf("folder says %q, want %q", show(f.Scan(time.Now())), want)
		}
		set := f.Scan(time.Now())
		if show(set) == want {
			return
		}
		if set.RecheckAfter > 0 {
			if set = f.Scan(time.Now().Add(set.RecheckAfter)); show(set) == want {
				return
			}
		}
	}
}

// TestChangeBeforeTheWatch: a file behind a link changes after a Scan has read it, and before its folder is watched.
func TestChangeBeforeTheWatch(t *testing.T) {
	b := newBoard(t)
	target := filepath.Join(t.TempDir(), "b.yaml")
	version := func(tag string) []byte {
		return []byte(strings.Replace(podYAML("b", tag), "  name: b\n", "  name: b\n  annotations: {podd.dev/node: here}\n", 1))
	}
	changed := false
	b.f.o.Fits = func(string) bool {
		if !changed {
			changed = true
			if err := os.WriteFile(target, version("two"), 0o644); err != nil {
				t.Error(err)
			}
		}
		return true
	}
	hints := watchHints(t, b.f)
	if err := errors.Join(os.WriteFile(target, version("one"), 0o644), os.Symlink(target, b.path("b.yaml"))); err != nil {
		t.Fatal(err)
	}
	awaitFolder(t, b.f, hints, "b.yaml/b@two")
}

func TestWatchTellsOfEveryChange(t *testing.T) {
	b := newBoard(t)
	hints := watchHints(t, b.f)
	steps := []struct {
		do   func() error
		want string
	}{
		{func() error { return os.WriteFile(b.path("a.yaml"), []byte(podYAML("a", "one")), 0o644) }, "a.yaml/a@one"},
		{func() error { return os.WriteFile(b.path("a.yaml"), []byte(podYAML("a", "two")), 0o644) }, "a.yaml/a@two"},
		{func() error {
			if err := os.WriteFile(b.path(".new"), []byte(podYAML("a", "three")), 0o644); err != nil {
				return err
			}
			return os.Rename(b.path(".new"), b.path("a.yaml"))
		}, "a.yaml/a@three"},
		{func() error { return os.Remove(b.path("a.yaml")) }, ""},
		{func() error { return os.Rename(b.dir, b.dir+".away") }, filepath.Base(b.dir) + ": ManifestFolderGone ; gone"},
		{func() error {
			if err := os.MkdirAll(b.dir, 0o755); err != nil {
				return err
			}
			return os.WriteFile(b.path("b.yaml"), []byte(podYAML("b", "one")), 0o644)
		}, "b.yaml/b@one"},
		{func() error { return os.Link(b.path("b.yaml"), b.path("c.yaml")) }, "b.yaml/b@one; c.yaml: DuplicatePod b"},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		awaitFolder(t, b.f, hints, step.want)
	}
}

// The folders on the way may come at any step of the search for the nearest that is there.
func TestWatchFolderThatAppearsMeanwhile(t *testing.T) {
	for i := range 500 {
		dir := filepath.Join(t.TempDir(), "not", "yet")
		f := Open(Options{Dir: dir})
		ctx, cancel := context.WithCancel(context.Background())
		there, done := make(chan bool, 100), make(chan error, 1)
		go func() { done <- f.Watch(ctx, func() { there <- idOf(dir) != dirID{} }) }()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		deadline := time.After(10 * time.Second)
		for seen := false; !seen; {
			select {
			case seen = <-there:
			case <-deadline:
				t.Fatalf("no hint of folder %d", i)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchFollowsLinks(t *testing.T) {
	b := newBoard(t)
	far := t.TempDir()
	for _, v := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(b.dir, ".."+v), 0o755); err != nil {
			t.Fatal(err)
		}
		b.write(".."+v+"/web.yaml", podYAML("web", v))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("..v1", b.path("..data")))
	must(os.Symlink("..data/web.yaml", b.path("web.yaml")))
	hints := watchHints(t, b.f)
	must(os.Symlink("..v2", b.path("..tmp")))
	must(os.Rename(b.path("..tmp"), b.path("..data")))
	awaitFolder(t, b.f, hints, "web.yaml/web@v2")

	target := filepath.Join(far, "far.yaml")
	must(os.WriteFile(target, []byte(podYAML("far", "one")), 0o644))
	must(os.Symlink(target, b.path("far.yaml")))
	awaitFolder(t, b.f, hints, "far.yaml/far@one; web.yaml/web@v2")
	must(os.WriteFile(target, []byte(podYAML("far", "two")), 0o644))
	awaitFolder(t, b.f, hints, "far.yaml/far@two; web.yaml/web@v2")
}

func TestLinkDirs(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"m", "x/y"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"m/a": "../x/b", "x/b": "y/c", "m/self": "self"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{filepath.Join(dir, "x"), filepath.Join(dir, "x/y")}
	if got := linkDirs(filepath.Join(dir, "m/a")); !slices.Equal(got, want) {
		t.Errorf("linkDirs = %v, want %v", got, want)
	}
	if got := linkDirs(filepath.Join(dir, "m/self")); len(got) != 0 {
		t.Errorf("linkDirs of a loop = %v", got)
	}
}

func TestOnlyEventsOfManifestsHint(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	open, err := os.Create(b.path("open.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	in, err := inotify.New()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	hinted := 0
	w := &watcher{folder: b.f, in: in, dirs: map[int32]string{}, hint: func() { hinted++ }}
	w.arm()
	wds := map[string]int32{}
	for wd, dir := range w.dirs {
		wds[dir] = wd
	}
	own, parent := wds[b.dir], wds[filepath.Dir(b.dir)]
	if own == 0 || parent == 0 {
		t.Fatalf("the folder and the one above are not watched: %v", w.dirs)
	}
	base := filepath.Base(b.dir)
	tests := []struct {
		event inotify.Event
		want  bool
	}{
		{inotify.Event{Watch: own, Mask: unix.IN_CLOSE_WRITE, Name: "a.yaml"}, true},
		{inotify.Event{Watch: own, Mask: unix.IN_CREATE, Name: "a.yaml"}, true}, // a hard link: nobody writes to it
		{inotify.Event{Watch: own, Mask: unix.IN_CREATE, Name: "open.yaml"}, false},
		{inotify.Event{Watch: own, Mask: unix.IN_DELETE, Name: "gone.yaml"}, true},
		{inotify.Event{Watch: own, Mask: unix.IN_MOVED_TO, Name: "..data"}, true},
		{inotify.Event{Watch: own, Mask: unix.IN_CLOSE_WRITE, Name: ".a.yaml.swp"}, false},
		{inotify.Event{Watch: own, Mask: unix.IN_CLOSE_WRITE, Name: "a.yaml~"}, false},
		{inotify.Event{Watch: parent, Mask: unix.IN_CREATE, Name: "something"}, false},
		{inotify.Event{Watch: parent, Mask: unix.IN_CREATE, Name: base}, true},
		{inotify.Event{Watch: 0, Mask: unix.IN_Q_OVERFLOW, Name: ""}, true},
		{inotify.Event{Watch: own, Mask: unix.IN_DELETE_SELF, Name: ""}, true},
		{inotify.Event{Watch: own + parent + 100, Mask: unix.IN_IGNORED, Name: ""}, false}, // of a watch that was taken away
	}
	for _, tt := range tests {
		hinted = 0
		w.events([]inotify.Event{tt.event})
		if (hinted > 0) != tt.want {
			t.Errorf("event %+v hints %d times", tt.event, hinted)
		}
	}
}

func TestWatchNoticesALinkToNowhere(t *testing.T) {
	b := newBoard(t)
	far := t.TempDir()
	target := filepath.Join(far, "later", "web.yaml")
	if err := os.Symlink(target, b.path("web.yaml")); err != nil {
		t.Fatal(err)
	}
	hints := watchHints(t, b.f)
	if err := os.Mkdir(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(podYAML("web", "one")), 0o644); err != nil {
		t.Fatal(err)
	}
	awaitFolder(t, b.f, hints, "web.yaml/web@one")
}

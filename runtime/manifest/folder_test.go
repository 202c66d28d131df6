package manifest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// podYAML is a small pod.
func podYAML(name, image string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\nspec:\n  containers:\n  - name: c\n    image: %s\n", name, image)
}

// board is a folder of manifests with a clock of its own. Files are written with an old mtime, so that they count as
// settled; a test of fresh files says so.
type board struct {
	t     *testing.T
	dir   string
	cache string
	now   time.Time
	f     *Folder
}

func newBoard(t *testing.T, seed ...Pod) *board {
	t.Helper()
	b := &board{t: t, dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "lastgood"), now: time.Now()}
	b.restart(seed...)
	return b
}

func (b *board) restart(seed ...Pod) {
	b.f = Open(Options{Dir: b.dir, CacheDir: b.cache, Seed: seed})
}

func (b *board) path(name string) string { return filepath.Join(b.dir, name) }

func (b *board) write(name, text string) {
	b.t.Helper()
	b.writeAged(name, text, time.Hour)
}

func (b *board) writeAged(name, text string, old time.Duration) {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chtimes(b.path(name), time.Time{}, b.now.Add(-old)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) remove(name string) {
	b.t.Helper()
	if err := os.Remove(b.path(name)); err != nil {
		b.t.Fatal(err)
	}
}

// scan passes time as RecheckAfter asks, until the folder has nothing more to say.
func (b *board) scan() Set {
	b.t.Helper()
	set := b.f.Scan(b.now)
	for range 3 {
		if set.RecheckAfter == 0 {
			break
		}
		b.now = b.now.Add(set.RecheckAfter)
		set = b.f.Scan(b.now)
	}
	return set
}

// show writes a set down as "file/name@image" lines and the reasons of its problems.
func show(set Set) string {
	var out []string
	for _, p := range set.Pods {
		line := fmt.Sprintf("%s/%s@%s", filepath.Base(p.File), p.Object.Name, p.Object.Spec.Containers[0].Image)
		if p.Stale {
			line += " stale"
		}
		out = append(out, line)
	}
	for _, p := range set.Problems {
		out = append(out, fmt.Sprintf("%s: %s %s", filepath.Base(p.File), p.Reason, p.Name))
	}
	if set.Gone {
		out = append(out, "gone")
	}
	return strings.Join(out, "; ")
}

func (b *board) want(want string) {
	b.t.Helper()
	if got := show(b.scan()); got != want {
		b.t.Fatalf("folder says %q, want %q", got, want)
	}
}

func TestScanFollowsFiles(t *testing.T) {
	b := newBoard(t)
	b.want("")
	b.write("a.yaml", podYAML("a", "one"))
	b.write(".hidden.yaml", podYAML("h", "one"))
	b.write("a.yaml~", podYAML("t", "one"))
	b.write("a.yaml.bak", podYAML("b", "one"))
	b.write("a.yaml.swp", podYAML("s", "one"))
	if err := os.Mkdir(b.path("sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write("sub/x.yaml", podYAML("x", "one"))
	b.want("a.yaml/a@one")
	b.write("b.json", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"},"spec":{"containers":[{"name":"c","image":"two"}]}}`)
	b.want("a.yaml/a@one; b.json/b@two")
	b.remove("a.yaml")
	b.want("b.json/b@two")
	b.remove("b.json")
	b.want("")
}

func TestBadEditKeepsTheLastGoodPod(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	good := b.scan().Pods[0]

	b.write("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: two, bogus: 1}]}\n")
	b.want("a.yaml/a@one stale; a.yaml: InvalidManifest a")
	if got := b.scan().Pods[0]; got.Object.UID != good.Object.UID || got.Hash != good.Hash {
		t.Errorf("the stale pod is not the one that ran: %+v", got)
	}
	b.restart() // a reboot: the runtime remembers nothing
	b.want("a.yaml/a@one stale; a.yaml: InvalidManifest a")

	b.write("a.yaml", podYAML("a", "three"))
	b.want("a.yaml/a@three")
	if left, _ := filepath.Glob(b.cache + "/*.json"); len(left) != 0 {
		t.Errorf("the last good version stays on disk after the repair: %v", left)
	}
}

func TestOneBadDocumentLeavesTheOthers(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one")+"---\n"+podYAML("b", "one")+"---\n"+podYAML("c", "one"))
	b.want("a.yaml/a@one; a.yaml/b@one; a.yaml/c@one")
	// b turns bad under its name, c is removed on purpose.
	b.write("a.yaml", podYAML("a", "two")+"---\n"+strings.Replace(podYAML("b", "two"), "image", "imago", 1))
	b.want("a.yaml/a@two; a.yaml/b@one stale; a.yaml: InvalidManifest b")
	// What cannot be read at all may have been any of them.
	b.write("a.yaml", podYAML("a", "two")+"---\n{{ broken")
	b.want("a.yaml/a@two; a.yaml/b@one stale; a.yaml: InvalidManifest ")
}

func TestDoubledNameTheOlderRuns(t *testing.T) {
	b := newBoard(t)
	b.writeAged("z.yaml", podYAML("web", "old"), 2*time.Hour)
	b.writeAged("a.yaml", podYAML("web", "new"), time.Hour)
	b.want("z.yaml/web@old; a.yaml: DuplicatePod web")
	// An edit makes the older one no younger.
	b.writeAged("z.yaml", podYAML("web", "edited"), 30*time.Minute)
	b.want("z.yaml/web@edited; a.yaml: DuplicatePod web")
	b.remove("z.yaml")
	b.want("a.yaml/web@new")
	b.writeAged("z.yaml", podYAML("web", "back"), 10*time.Hour)
	b.want("a.yaml/web@new; z.yaml: DuplicatePod web")

	set := b.scan()
	b.restart(set.Pods...)
	b.want("a.yaml/web@new; z.yaml: DuplicatePod web")
}

func TestVanishedFolderRemovesNothing(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	set := b.scan()
	away := b.dir + ".away"
	if err := os.Rename(b.dir, away); err != nil {
		t.Fatal(err)
	}
	b.want("a.yaml/a@one; " + filepath.Base(b.dir) + ": ManifestFolderGone ; gone")
	b.restart(set.Pods...)
	b.want("a.yaml/a@one; " + filepath.Base(b.dir) + ": ManifestFolderGone ; gone")
	if err := os.Rename(away, b.dir); err != nil {
		t.Fatal(err)
	}
	b.want("a.yaml/a@one")
	b.remove("a.yaml")
	b.want("")
}

func TestHalfWrittenFileIsNoProblem(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	w, err := os.OpenFile(b.path("a.yaml"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fmt.Fprint(w, "apiVersion: v1\nkind: Pod\nmeta")
	b.want("a.yaml/a@one")
	fresh, err := os.Create(b.path("b.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	fmt.Fprint(fresh, "apiVersion: v1\nki")
	b.want("a.yaml/a@one")
	fmt.Fprint(w, "data: {name: a}\nspec: {containers: [{name: c, image: two}]}\n")
	w.Close()
	b.want("a.yaml/a@two")
	fresh.Close()
	b.now = time.Now().Add(2 * time.Second)
	b.want("a.yaml/a@two; b.yaml: InvalidManifest ")
}

func TestRenamedAwayAndBackIsNoRemoval(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	b.remove("a.yaml")
	if got := show(b.f.Scan(b.now)); got != "a.yaml/a@one" {
		t.Errorf("the pod goes the moment its file is away: %q", got)
	}
	b.write("a.yaml", podYAML("a", "two"))
	b.want("a.yaml/a@two")
}

func TestUnchangedPodKeepsItsObject(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	before := b.scan().Pods[0]
	b.write("a.yaml", "# a comment\n"+podYAML("a", "one"))
	after := b.scan().Pods[0]
	if before.Object != after.Object || before.Hash != after.Hash {
		t.Error("a comment makes another pod")
	}
}

func TestWhatIsNoFileDoesNotHang(t *testing.T) {
	b := newBoard(t)
	mkfifo(t, b.path("pipe.yaml"))
	if err := os.Symlink("nowhere", b.path("link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", b.path("zero.yaml")); err != nil {
		t.Fatal(err)
	}
	huge, err := os.Create(b.path("huge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer huge.Close()
	if err := huge.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	huge.Close()
	b.now = time.Now().Add(time.Minute)
	b.want("huge.yaml: UnreadableManifest ; link.yaml: UnreadableManifest ; pipe.yaml: UnreadableManifest ; zero.yaml: UnreadableManifest ")
}

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

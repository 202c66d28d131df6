package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/manifest"
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

func newBoard(t *testing.T, seed ...manifest.Pod) *board {
	t.Helper()
	b := &board{t: t, dir: t.TempDir(), cache: filepath.Join(t.TempDir(), "lastgood"), now: time.Now()}
	b.restart(seed...)
	return b
}

func (b *board) restart(seed ...manifest.Pod) {
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
func (b *board) scan() manifest.Set {
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
func show(set manifest.Set) string {
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
	b.want("a.yaml/a@two; a.yaml/b@one stale; a.yaml: InvalidManifest b")
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

func TestDoubledNameInOneFileTheFirstRuns(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("web", "one")+"---\n"+podYAML("web", "two"))
	b.want("a.yaml/web@one; a.yaml: DuplicatePod web")
	if got := b.scan().Problems[0].Message; !strings.HasSuffix(got, `a.yaml: Pod "web" in namespace "default" is already defined by document 1 of the same file; give it another metadata.name or remove it`) {
		t.Errorf("message is %q", got)
	}
}

func TestDeploymentOfTheSameNameKeepsNoPod(t *testing.T) {
	b := newBoard(t)
	service := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
	b.write("a.yaml", podYAML("web", "one")+"---\n"+service)
	b.want("a.yaml/web@one; a.yaml: InvalidManifest web")
	b.write("a.yaml", service)
	b.want("a.yaml: InvalidManifest web")
	// A misspelled kind is a bad edit.
	b.write("a.yaml", podYAML("web", "one"))
	b.want("a.yaml/web@one")
	b.write("a.yaml", strings.Replace(podYAML("web", "two"), "Pod", "Pood", 1))
	b.want("a.yaml/web@one stale; a.yaml: UnsupportedKind web")
}

func TestKeptVersionGoesWithItsManifest(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.scan()
	b.write("a.yaml", "broken: [")
	b.want("a.yaml/a@one stale; a.yaml: InvalidManifest a")
	kept := func() int {
		found, _ := filepath.Glob(b.cache + "/*.json")
		return len(found)
	}
	if kept() != 1 {
		t.Fatal("the last good version is not on disk")
	}
	b.remove("a.yaml")
	b.restart() // podd was not running when the file was removed
	b.want("")
	if kept() != 0 {
		t.Error("the last good version of a removed manifest stays on disk")
	}
	b.write("a.yaml", "broken: [")
	b.want("a.yaml: InvalidManifest ")
}

func TestSeedStandsInForABadFile(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	seed := b.scan().Pods
	b.write("a.yaml", "broken: [")
	b.restart(seed...)
	b.want("a.yaml/a@one stale; a.yaml: InvalidManifest a")
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	if b.scan().Pods[0].Object.UID != seed[0].Object.UID {
		t.Error("the repaired pod is another one")
	}
}

// BenchmarkScanUnchanged is what a hint costs when nothing has changed.
func BenchmarkScanUnchanged(b *testing.B) {
	dir := b.TempDir()
	for i := range 100 {
		name := fmt.Sprintf("pod%d", i)
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(podYAML(name, "i")), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	f := Open(Options{Dir: dir})
	now := time.Now().Add(time.Hour)
	if set := f.Scan(now); len(set.Pods) != 100 {
		b.Fatalf("%d pods", len(set.Pods))
	}
	b.ReportAllocs()
	for b.Loop() {
		f.Scan(now)
	}
}

func TestFolderThatIsAFile(t *testing.T) {
	b := newBoard(t)
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one")
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	set := b.scan()
	want := "manifest folder " + b.dir + ": it is a file; put the folder back (1 pod stays until then)"
	if !set.Gone || len(set.Pods) != 1 || len(set.Problems) != 1 || set.Problems[0].Message != want {
		t.Errorf("folder says %+v, want %q", set, want)
	}
	b.f = Open(Options{Dir: b.path("below")})
	if got := b.scan().Problems[0].Message; !strings.HasSuffix(got, "below: a part of its path is a file; put the folder back") {
		t.Errorf("message is %q", got)
	}
}

func TestSeveralFilesOfOneName(t *testing.T) {
	b := newBoard(t)
	b.writeAged("2.yaml", podYAML("a", "two"), 3*time.Hour)
	b.writeAged("1.yaml", podYAML("a", "one"), 2*time.Hour)
	b.writeAged("3.yaml", podYAML("a", "three"), time.Hour)
	names := func(winner string) {
		t.Helper()
		for _, p := range b.scan().Problems {
			if p.Reason == manifest.ReasonDuplicate+"Pod" && !strings.Contains(p.Message, "is already defined by the older file "+b.path(winner)+";") {
				t.Errorf("%q does not name %s", p.Message, winner)
			}
		}
	}
	b.want("2.yaml/a@two; 1.yaml: DuplicatePod a; 3.yaml: DuplicatePod a")
	names("2.yaml")
	// A bad edit of the one that runs changes nothing for the others.
	b.write("2.yaml", badYAML("a"))
	b.want("2.yaml/a@two stale; 1.yaml: DuplicatePod a; 2.yaml: InvalidManifest a; 3.yaml: DuplicatePod a")
	names("2.yaml")
	// Of the others as well: its last good version never ran.
	b.write("3.yaml", ": : [")
	b.want("2.yaml/a@two stale; 1.yaml: DuplicatePod a; 2.yaml: InvalidManifest a; 3.yaml: InvalidManifest a; 3.yaml: DuplicatePod a")
	b.remove("2.yaml")
	b.want("1.yaml/a@one; 3.yaml: InvalidManifest a; 3.yaml: DuplicatePod a")
	names("1.yaml")
	b.remove("1.yaml")
	b.want("3.yaml/a@three stale; 3.yaml: InvalidManifest a")
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

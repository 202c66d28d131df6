package folder

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"podd/internal/hostfile"
	"podd/internal/hostfile/hangtest"
)

// TestALinkThatHangs: a file that leads to a file system that does not answer costs nothing but itself, and one goroutine
// however often the folder is looked at; its pod stays. It can be removed while it hangs, and comes back when it answers.
func TestALinkThatHangs(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	b := newBoard(t)
	b.f.guard.Patience = 300 * time.Millisecond
	server := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour)
	must(os.WriteFile(filepath.Join(server, "b.yaml"), []byte(podYAML("b", "one")), 0o644))
	must(os.Chtimes(filepath.Join(server, "b.yaml"), old, old))
	must(os.Symlink(filepath.Join(server, "b.yaml"), b.path("b.yaml")))
	b.write("a.yaml", podYAML("a", "one"))
	hints := watchHints(t, b.f)
	b.want("a.yaml/a@one; b.yaml/b@one")

	back := hangtest.Mount(t, server)
	b.write("a.yaml", podYAML("a", "two"))
	b.want("a.yaml/a@two; b.yaml/b@one stale; b.yaml: UnreadableManifest b")
	set := b.scan()
	if text := set.Problems[0].Message; !strings.Contains(text, b.path("b.yaml")+": it cannot be read: its file system does not answer; ") {
		t.Errorf("the sentence is %q", text)
	}
	goroutines := runtime.NumGoroutine()
	for range 50 {
		b.f.Scan(b.now)
	}
	if now := runtime.NumGoroutine(); now > goroutines+mostHanging { // the watcher's own may come meanwhile
		t.Errorf("%d goroutines have become %d", goroutines, now)
	}
	b.remove("b.yaml")
	b.want("a.yaml/a@two")
	must(os.Symlink(filepath.Join(server, "b.yaml"), b.path("b.yaml")))
	b.want("a.yaml/a@two; b.yaml: UnreadableManifest ")

	back()
	awaitFolder(t, b.f, hints, "a.yaml/a@two; b.yaml/b@one")
}

// TestWatchAfterAHang: a folder that could not be watched because it did not answer is watched once it does.
func TestWatchAfterAHang(t *testing.T) {
	b := newBoard(t)
	b.f.guard.Patience = 2 * time.Second
	server := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(server, "b.yaml"), []byte(podYAML("b", "one")), 0o644))
	answer := make(chan struct{})
	if _, err := hostfile.Do(b.f.guard, "find "+server, func() string { <-answer; return server }); !errors.Is(err, hostfile.ErrHangs) {
		t.Fatal(err)
	}
	hints := watchHints(t, b.f)
	must(os.Symlink(filepath.Join(server, "b.yaml"), b.path("b.yaml")))
	awaitFolder(t, b.f, hints, "b.yaml/b@one")
	for range len(hints) {
		<-hints
	}
	close(answer)
	<-hints // it answers
	must(os.WriteFile(filepath.Join(server, "b.yaml"), []byte(podYAML("b", "two")), 0o644))
	awaitFolder(t, b.f, hints, "b.yaml/b@two")
}

// TestAFileOfTheKernel: a link to a file of the kernel's is refused before it takes or waits for anything.
func TestAFileOfTheKernel(t *testing.T) {
	b := newBoard(t)
	for name, target := range map[string]string{"kmsg.yaml": "/proc/kmsg", "environ.yaml": "/proc/self/environ"} {
		if err := os.Symlink(target, b.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	b.write("a.yaml", podYAML("a", "one"))
	b.want("a.yaml/a@one; environ.yaml: UnreadableManifest ; kmsg.yaml: UnreadableManifest ")
	if text := b.scan().Problems[0].Message; text != b.path("environ.yaml")+": it is a file of the kernel's own; put a regular file in its place" {
		t.Errorf("the sentence is %q", text)
	}
}

// TestRereadWaitsForNobody: a scan may take as long as its file system does, and who reloads podd must still be able to
// stop it.
func TestRereadWaitsForNobody(t *testing.T) {
	b := newBoard(t)
	reads := 0
	b.f.o.Fits = func(string) bool { reads++; return true }
	b.write("a.yaml", strings.Replace(podYAML("a", "one"), "  name: a\n", "  name: a\n  annotations: {podd.dev/node: here}\n", 1))
	b.want("a.yaml/a@one")
	b.scan()
	before := reads
	b.f.mu.Lock() // as a Scan that hangs
	b.f.Reread()
	b.f.mu.Unlock()
	b.scan()
	if before == 0 || reads != 2*before {
		t.Errorf("%d reads, then %d", before, reads)
	}
}

package controller

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A Job that its time to live has removed does not run again because something else in the folder has changed, podd has died, or the
// board was off: its own file has to.
func TestTimeToLiveIsNotANewBeginning(t *testing.T) {
	text := strings.Replace(jobText, "  completions: 2\n", "  completions: 1\n  ttlSecondsAfterFinished: 60\n", 1)
	w := newWorld(t, text)
	w.l.finish(w.alive()[0], corev1.PodSucceeded, w.now)
	w.m.Sync(w.now)
	w.later(2 * time.Minute)
	if e := w.m.get(kindJob, "default", "sums"); e != nil {
		t.Fatalf("it is still there: %+v", e.object)
	}
	clear(w.l.pods)
	runs := func(what string, want int) {
		t.Helper()
		if n := len(w.alive()); n != want {
			t.Errorf("%s: %d pods run, want %d", what, n, want)
		}
	}
	w.folder(text, strings.Replace(setText, "replicas: 2", "replicas: 0", 1))
	runs("another file is new", 0)
	w.start()
	w.take()
	runs("after a death", 0)
	w.disk.Wait()
	if err := os.Remove(filepath.Join(w.dir, "run", "replicaset_default_web.json")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.take()
	runs("after a boot", 0)
	w.folder(strings.Replace(text, "image: app", "image: app2", 1))
	runs("its file has changed", 1)
	w.l.finish(w.alive()[0], corev1.PodSucceeded, w.now)
	w.m.Sync(w.now)
	w.later(2 * time.Minute)
	clear(w.l.pods)
	w.folder()
	w.folder(strings.Replace(text, "image: app", "image: app2", 1))
	runs("its file has gone and come again", 1)
}

package rollout

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/state"
)

var asks = []string{annotation.RollbackKey, "true", annotation.ProgressDeadlineKey, "60", annotation.MinReadyKey, "10"}

func at(seconds int) state.Instant {
	return state.Instant{Mono: state.BootTime(time.Duration(seconds) * time.Second)}
}

func ready(rec *state.Record, since state.Instant, is bool) {
	status := corev1.ConditionFalse
	if is {
		status = corev1.ConditionTrue
	}
	rec.Conditions[string(corev1.PodReady)] = state.ConditionRecord{Status: status, Since: since}
	rec.Containers[0].Changed = false
}

// check asserts one look at a pod.
func check(t *testing.T, m *Manager, p *Pod, rec *state.Record, blocked bool, now, wake int, rolledBack bool) {
	t.Helper()
	gotWake, said := m.CheckProgressDeadline(p, rec, blocked, at(now))
	if gotWake != at(wake).Mono || (said != "") != rolledBack {
		t.Fatalf("at %d s: look again at %s, said %q; want %d s, %t", now, gotWake, said, wake, rolledBack)
	}
}

// A version counts as good once it has stayed Ready; one that does not become Ready in time gives way to it, also after a
// reboot, until the manifest is another.
func TestProgressDeadline(t *testing.T) {
	root := t.TempDir()
	m, reopen := testManager(t, root)
	var p Pod
	rec := running(version("a:1", asks...), at(100))
	rec.Containers[0].ImageID = "sha256:1"
	check(t, m, &p, rec, false, 101, 0, false) // there is nothing to go back to
	ready(rec, at(105), true)
	check(t, m, &p, rec, false, 106, 115, false)
	check(t, m, &p, rec, false, 115, 0, false)
	if images := slices.Collect(m.Images()); !slices.Equal(images, []string{"sha256:1"}) {
		t.Errorf("images %v are kept", images)
	}
	if _, change, _ := m.Resolve(version("a:2", asks...), rec, at(200)); change == nil {
		t.Fatal("the change was not taken")
	}
	ready(rec, at(205), false)
	check(t, m, &p, rec, false, 205, 260, false)
	check(t, m, &p, rec, false, 260, 0, true)

	m = reopen()
	problems := m.Problems([]manifest.Pod{*version("a:2", asks...), *version("a:3", asks...)})
	if len(problems) != 1 || problems[0].Reason != ReasonRolledBack || problems[0].File != "web.yaml" || !strings.Contains(problems[0].Message, `"web" did not become Ready within 1m0s`) {
		t.Errorf("problems %+v", problems)
	}
	got, change, err := m.Resolve(version("a:2", asks...), rec, at(261))
	if err != nil || change == nil || got.Hash != "hash-a:1" || rec.Hash != "hash-a:1" || rec.UID != "uid-a:1" {
		t.Fatalf("resolved to %s, change %+v, error %v", got.Hash, change, err)
	}
	if rec.Pins["c"] != "sha256:1" || m.Pins(got)["c"] != "sha256:1" || m.Pins(version("a:2")) != nil {
		t.Errorf("pins of the record %v, of the version %v", rec.Pins, m.Pins(got))
	}
	if got, change, _ := m.Resolve(version("a:3", asks...), rec, at(270)); change == nil || got.Hash != "hash-a:3" {
		t.Errorf("a corrected manifest is not tried: %s", got.Hash)
	}
}

// Time that a pod waits for the end of the one before it does not count.
func TestProgressBehindAnotherPod(t *testing.T) {
	m, _ := testManager(t, t.TempDir())
	var p Pod
	good := running(version("a:1", asks...), at(0))
	ready(good, at(0), true)
	check(t, m, &p, good, false, 10, 0, false)
	rec := running(version("a:2", asks...), at(100))
	rec.State = state.PodWaiting
	check(t, m, &p, rec, true, 100, 0, false)
	check(t, m, &p, rec, true, 170, 0, false)
	check(t, m, &p, rec, false, 180, 240, false)
	check(t, m, &p, rec, false, 239, 240, false)
	check(t, m, &p, rec, false, 240, 0, true)
}

// Pods that do not ask for it, or that end, are left alone.
func TestNoProgressDeadline(t *testing.T) {
	m, _ := testManager(t, t.TempDir())
	good := running(version("a:1", asks...), at(0))
	ready(good, at(0), true)
	check(t, m, &Pod{}, good, false, 10, 0, false)
	check(t, m, &Pod{}, running(version("a:2"), at(0)), false, 1000, 0, false)
	rec := running(version("a:2", asks...), at(0))
	rec.State = state.PodStopping
	check(t, m, &Pod{}, rec, false, 1000, 0, false)
}

// Versions of pods without a manifest are forgotten, on disk too.
func TestPrune(t *testing.T) {
	m, reopen := testManager(t, t.TempDir())
	m.saveRevision(running(version("a:1", asks...), at(0)))
	m.Prune(func(key types.NamespacedName) bool { return key.Name == "web" })
	if len(reopen().revisions) != 1 {
		t.Fatal("a version that is wanted is gone")
	}
	m.Prune(func(types.NamespacedName) bool { return false })
	if len(m.revisions) != 0 || len(reopen().revisions) != 0 {
		t.Error("it is still there")
	}
}

// A file that no podd has written is named, stays where it is, and costs no other pod its version.
func TestPeekRevisionsBelievesNothing(t *testing.T) {
	root := t.TempDir()
	m, reopen := testManager(t, root)
	m.saveRevision(running(version("a:1", asks...), at(0)))
	reopen()
	for name, text := range map[string]string{
		"default_a.json": "{", "default_b.json": "{}", "default_c.json": `{"good":{"hash":"h","object":{"metadata":{"name":"other","namespace":"default","uid":"u"}}}}`,
		"note.txt": "not ours",
	} {
		if err := os.WriteFile(filepath.Join(root, "rollback", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := New(root, nil)
	if bad := next.PeekRevisions(); len(bad) != 3 || len(next.revisions) != 1 {
		t.Errorf("%d versions, errors %v", len(next.revisions), bad)
	}
	if left, _ := os.ReadDir(filepath.Join(root, "rollback")); len(left) != 5 {
		t.Errorf("%d files are left", len(left))
	}
	if err := os.RemoveAll(filepath.Join(root, "rollback")); err != nil {
		t.Fatal(err)
	}
	if bad := New(root, nil).PeekRevisions(); len(bad) != 0 {
		t.Errorf("without a folder: %v", bad)
	}
}

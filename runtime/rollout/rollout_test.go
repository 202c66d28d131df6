package rollout

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/state"
)

// testManager gives a Manager that keeps its files below root; reopen waits for what it writes and reads it as the next
// daemon does.
func testManager(t *testing.T, root string) (m *Manager, reopen func() *Manager) {
	t.Helper()
	disk := &state.Disk{Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(disk.Wait)
	return New(root, disk), func() *Manager {
		disk.Wait()
		next := New(root, disk)
		if err := next.ReadAliases(); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bad := next.PeekRevisions(); len(bad) > 0 {
			t.Fatal(bad)
		}
		return next
	}
}

// version is a manifest of pod web, whose UID and hash follow from the image.
func version(image string, annotations ...string) *manifest.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.UID = "default", "web", types.UID("uid-"+image)
	p.Annotations = map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		p.Annotations[annotations[i]] = annotations[i+1]
	}
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: image}}
	return &manifest.Pod{Object: p, File: "web.yaml", Hash: "hash-" + image}
}

func withLimit(m *manifest.Pod, memory string) *manifest.Pod {
	m.Hash += memory
	m.Object.UID += types.UID(memory)
	m.Object.Spec.Containers[0].Resources = corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)},
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")},
	}
	return m
}

// running is the record of a pod that was started from a manifest.
func running(m *manifest.Pod, created state.Instant) *state.Record {
	rec := state.NewRecord(m.Object.UID, m.Object, created)
	rec.File, rec.Hash, rec.State = m.File, m.Hash, state.PodRunning
	rec.Containers[0].State = state.ContainerRunning
	return rec
}

// An edited manifest goes on being the pod that it was, in this daemon and in the next, until the pod is gone.
func TestResolveInPlace(t *testing.T) {
	root, now := t.TempDir(), state.Now()
	m, reopen := testManager(t, root)
	rec := running(version("a:1"), now)
	got, change, err := m.Resolve(version("a:2"), rec, now)
	if err != nil || change == nil || !slices.Equal(change.Images, []string{"c"}) || got.Object.UID != "uid-a:1" {
		t.Fatalf("resolved to UID %s, change %+v, error %v", got.Object.UID, change, err)
	}
	if rec.Hash != "hash-a:2" || rec.Object.Spec.Containers[0].Image != "a:2" || rec.Generation != 1 || rec.Changed == nil || !rec.Containers[0].Changed {
		t.Errorf("the record has not taken the change: %+v", rec)
	}
	if _, change, _ := m.Resolve(version("a:2"), rec, now); change != nil {
		t.Errorf("the same version has changed the pod again: %+v", change)
	}
	next := reopen()
	if got, _, _ := next.Resolve(version("a:2"), nil, now); got.Object.UID != "uid-a:1" {
		t.Errorf("after a reboot the manifest is pod %s", got.Object.UID)
	}
	m.DropAlias("uid-a:1")
	if got, _, _ := reopen().Resolve(version("a:2"), nil, now); got.Object.UID != "uid-a:2" {
		t.Errorf("the manifest continues a pod that is gone: %s", got.Object.UID)
	}
}

// What a pod cannot take is another pod, and the one that runs is left alone.
func TestResolveReplaces(t *testing.T) {
	now := state.Now()
	m, _ := testManager(t, t.TempDir())
	for what, edit := range map[string]func(*manifest.Pod){
		"a field that is fixed": func(m *manifest.Pod) { m.Object.Spec.Hostname = "other" },
		"another file":          func(m *manifest.Pod) { m.File = "other.yaml" },
	} {
		rec, next := running(version("a:1"), now), version("a:2")
		edit(next)
		got, change, err := m.Resolve(next, rec, now)
		if err != nil || change != nil || got.Object.UID != "uid-a:2" {
			t.Errorf("%s: resolved to %s, change %+v, error %v", what, got.Object.UID, change, err)
		}
		if rec.Hash != "hash-a:1" || rec.Changed != nil {
			t.Errorf("%s: the record is another: %+v", what, rec)
		}
	}
}

// A pod whose alias is lost is found again by its version.
func TestResolveAfterALoss(t *testing.T) {
	now := state.Now()
	m, reopen := testManager(t, t.TempDir())
	rec := running(version("a:1"), now)
	rec.Hash = "hash-a:2"
	if got, change, _ := m.Resolve(version("a:2"), rec, now); got.Object.UID != "uid-a:1" || change != nil {
		t.Errorf("resolved to %s, change %+v", got.Object.UID, change)
	}
	if got, _, _ := reopen().Resolve(version("a:2"), nil, now); got.Object.UID != "uid-a:1" {
		t.Errorf("it was not noted: %s", got.Object.UID)
	}
	elsewhere := version("a:2")
	elsewhere.File = "other.yaml"
	rec.UID = "uid-other"
	if got, _, _ := New(t.TempDir(), nil).Resolve(elsewhere, rec, now); got.Object.UID != "uid-a:2" {
		t.Errorf("a manifest of another file has become pod %s", got.Object.UID)
	}
}

// Of one pod there is one alias; edited back to what it was, it needs none.
func TestAliases(t *testing.T) {
	a := uidAliases{of: map[types.UID]types.UID{}}
	for i, c := range []struct {
		manifest, pod types.UID
		news          bool
		left          int
	}{
		{"p", "p", false, 0}, {"m1", "p", true, 1}, {"m1", "p", false, 1}, {"m2", "p", true, 1}, {"n", "q", true, 2}, {"p", "p", true, 1}, {"p", "p", false, 1},
	} {
		if news := a.set(c.manifest, c.pod); news != c.news || len(a.of) != c.left {
			t.Errorf("%d: news %t, aliases %v", i, news, a.of)
		}
	}
}

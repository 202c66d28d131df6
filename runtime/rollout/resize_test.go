package rollout

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/state"
)

// A change of limits that comes while an earlier one is carried out is still to be carried out after it.
func TestResizeDuringAResize(t *testing.T) {
	m, _ := testManager(t, t.TempDir())
	now := state.Now()
	rec := running(withLimit(version("a:1"), "16Mi"), now)
	if _, change, _ := m.Resolve(withLimit(version("a:1"), "32Mi"), rec, now); change == nil || len(change.Resources) != 1 {
		t.Fatalf("change %+v", change)
	}
	first := rec.Object
	if _, change, _ := m.Resolve(withLimit(version("a:1"), "64Mi"), rec, now); change == nil {
		t.Fatal("the second change was not taken")
	}
	if CompleteResize(rec, first) || rec.Resize == nil || rec.Resize.Applied {
		t.Fatalf("the second change is forgotten: %+v", rec.Resize)
	}
	if was := rec.Resize.Before["c"].Limits[corev1.ResourceMemory]; was.Cmp(resource.MustParse("16Mi")) != 0 {
		t.Errorf("the container is thought to have %s", &was)
	}
	if !CompleteResize(rec, rec.Object) || rec.Resize != nil {
		t.Errorf("it is not done: %+v", rec.Resize)
	}
	if CompleteResize(rec, rec.Object) {
		t.Error("it is done twice")
	}
}

// A resize that fails rests and is told once; the next edit tries anew at once.
func TestFailResize(t *testing.T) {
	m, _ := testManager(t, t.TempDir())
	now := at(100)
	rec := running(withLimit(version("a:1"), "16Mi"), now)
	if FailResize(rec, errors.New("busy"), now) {
		t.Error("a pod that is not resized has news")
	}
	if _, change, _ := m.Resolve(withLimit(version("a:1"), "32Mi"), rec, now); change == nil {
		t.Fatal("the change was not taken")
	}
	for i, c := range []struct {
		err  string
		news bool
	}{{"busy", true}, {"busy", false}, {"full", true}} {
		if news := FailResize(rec, errors.New(c.err), at(100+i)); news != c.news || rec.Resize.NotBefore != at(110+i).Mono || rec.Resize.Error != c.err {
			t.Errorf("%d: news %t, %+v", i, news, rec.Resize)
		}
	}
	if _, change, _ := m.Resolve(withLimit(version("a:1"), "8Mi"), rec, now); change == nil || rec.Resize.NotBefore != 0 || rec.Resize.Error != "" {
		t.Errorf("it rests still: %+v", rec.Resize)
	}
}

package objects

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api/hub"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

func newPod(namespace, name string, uid types.UID) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}}
}

func config(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: map[string]string{"k": value}}
}

// take empties a channel that nobody sends to any more.
func take[E any](ch <-chan E) (list []E) {
	for {
		select {
		case e := <-ch:
			list = append(list, e)
		default:
			return list
		}
	}
}

// What is published again as it is makes no change; every other change has the next number, which lists have as well.
func TestStoreNumbersChanges(t *testing.T) {
	s := NewStore()
	_, start := s.Objects("ConfigMap")
	changes, cancel, err := s.WatchObjects(start)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	first := config("a", "1")
	s.SetObject("ConfigMap", first)
	s.SetObject("ConfigMap", config("a", "1"))
	s.SetObject("ConfigMap", config("a", "2"))
	s.SetObject("Secret", &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
	s.RemoveObject(Key{"ConfigMap", "default", "a"})
	s.RemoveObject(Key{"ConfigMap", "default", "a"})
	got := take(changes)
	want := []struct {
		typ  watch.EventType
		kind string
	}{{watch.Added, "ConfigMap"}, {watch.Modified, "ConfigMap"}, {watch.Added, "Secret"}, {watch.Deleted, "ConfigMap"}}
	if len(got) != len(want) {
		t.Fatalf("%d changes: %v", len(got), got)
	}
	for i, e := range got {
		rv := start + uint64(i) + 1
		if e.Type != want[i].typ || e.Kind != want[i].kind || e.RV != rv || e.Object.GetResourceVersion() != fmt.Sprint(rv) {
			t.Errorf("change %d is %s of a %s, %d, %s", i, e.Type, e.Kind, e.RV, e.Object.GetResourceVersion())
		}
	}
	if got[3].Object.(*corev1.ConfigMap).Data["k"] != "2" || got[1].Object.GetResourceVersion() == got[3].Object.GetResourceVersion() {
		t.Errorf("deleted as %v, which a list before has", got[3].Object)
	}
	if list, rv := s.Objects("ConfigMap"); len(list) != 0 || rv != start+4 {
		t.Errorf("left: %v at %d", list, rv)
	}
	if list, _ := s.Objects("Secret"); len(list) != 1 {
		t.Errorf("Secrets: %v", list)
	}
	// A watcher that begins in between gets what came later.
	later, stop, err := s.WatchObjects(start + 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if list := take(later); len(list) != 2 || list[0].RV != start+3 {
		t.Errorf("from the middle: %v", list)
	}
	if _, _, err := s.WatchObjects(start + 9); err == nil {
		t.Error("a version of the future is watched")
	}
}

// Pods are listed by name; one in a back-off says how long it still takes; a change of one is seen by who watches.
func TestStorePods(t *testing.T) {
	s := NewStore()
	_, start := s.Pods()
	changes, cancel, err := s.WatchPods(start)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	waiting := newPod("b", "x", "u2")
	waiting.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container"}},
	}}
	s.SetPod(waiting, map[string]state.BootTime{"c": state.Now().After(10 * time.Hour)})
	s.SetPod(newPod("a", "z", "u3"), nil)
	s.SetPod(newPod("a", "y", "u1"), nil)
	s.SetPod(newPod("a", "y", "u1"), nil)
	list, rv := s.Pods()
	var uids []types.UID
	for _, p := range list {
		uids = append(uids, p.UID)
	}
	if !slices.Equal(uids, []types.UID{"u1", "u3", "u2"}) || rv != start+3 {
		t.Fatalf("listed: %v at %d", uids, rv)
	}
	if list[2] == waiting || list[2].Status.ContainerStatuses[0].State.Waiting.Message == waiting.Status.ContainerStatuses[0].State.Waiting.Message {
		t.Errorf("the back-off is shown as %v", list[2].Status.ContainerStatuses[0].State.Waiting)
	}
	s.SetPod(newPod("b", "x", "u2"), nil)
	if list, _ := s.Pods(); len(list[2].Status.ContainerStatuses) != 0 {
		t.Errorf("out of its back-off: %v", list[2])
	}
	s.RemovePod("u2")
	s.RemovePod("u2")
	got := take(changes)
	last := got[len(got)-1]
	if len(got) != 5 || last.Type != watch.Deleted || last.Pod.UID != "u2" || last.RV != start+5 {
		t.Errorf("changes: %v", got)
	}
}

// A manifest that is refused is there as a pod that waits, for as long as it is refused, and the same one all the time.
func TestStoreRefusedPods(t *testing.T) {
	s := NewStore()
	s.SetPod(newPod("default", "runs", "u1"), nil)
	bad := manifest.Problem{File: "/m/Web.v2.yaml", Doc: 1, Reason: "InvalidManifest", Message: "no"}
	named := manifest.Problem{File: "/m/db.yaml", Kind: "Pod", Namespace: "prod", Name: "db", Reason: "InvalidManifest", Message: "no image"}
	at := time.Unix(1_700_000_000, 0)
	_, start := s.Pods()
	s.SetRefusedPods([]manifest.Problem{bad, named}, at, "n1")
	s.SetRefusedPods([]manifest.Problem{bad, named}, at.Add(time.Hour), "n1")
	list, rv := s.Pods()
	if len(list) != 3 || rv != start+2 {
		t.Fatalf("%d pods after %d changes", len(list), rv-start)
	}
	web, db := list[1], list[2]
	if web.Name != "web.v2" || web.Namespace != "default" || web.Status.Message != "no" || web.Status.Phase != corev1.PodPending || web.Spec.NodeName != "n1" {
		t.Errorf("a file without a name: %v", web)
	}
	if db.Name != "db" || db.Namespace != "prod" || !db.CreationTimestamp.Time.Equal(at) {
		t.Errorf("a pod with a name: %v", db)
	}
	s.SetRefusedPods([]manifest.Problem{named}, at, "n1")
	s.SetRefusedPods(nil, at, "n1")
	if list, rv := s.Pods(); len(list) != 1 || list[0].Name != "runs" || rv != start+4 {
		t.Errorf("left: %v after %d changes", list, rv-start)
	}
}

func TestProblems(t *testing.T) {
	s := NewStore()
	service := manifest.Problem{Kind: "Service", Namespace: "a", Name: "web", Message: "service"}
	s.SetProblems([]manifest.Problem{{Kind: "Pod", Message: "pod"}, {Message: "unknown"}, service, {Kind: "Secret", Message: "secret"}})
	for kind, want := range map[string][]string{"": {"service", "secret"}, "Service": {"service"}, "Secret": {"secret"}, "ConfigMap": nil, "Pod": nil} {
		if got := s.ObjectProblems(kind); !slices.Equal(got, want) {
			t.Errorf("of %q: %q, want %q", kind, got, want)
		}
	}
	if ref := ProblemReference(&service); ref.Kind != "Service" || ref.Namespace != "a" || ref.Name != "web" || ref.UID != "" {
		t.Errorf("it is about %v", ref)
	}
	file := manifest.Problem{File: "/m/x.yaml", Doc: 2, Reason: "R"}
	s.SetRefusedPods([]manifest.Problem{file}, time.Now(), "n1")
	shown, _ := s.Pods()
	if ref := ProblemReference(&file); ref.Kind != "Pod" || ref.UID != shown[0].UID || ref.Name != shown[0].Name || ref.Namespace != shown[0].Namespace {
		t.Errorf("the event is about %v, the pod is %v", ref, shown[0].ObjectMeta)
	}
}

// Whoever lists and then watches from there misses nothing, whatever is published meanwhile.
func TestStoreListThenWatch(t *testing.T) {
	s := NewStore()
	const writes = 100 // fewer than a watcher may be behind
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range writes {
			s.SetObject("ConfigMap", config("a", fmt.Sprint(i)))
		}
	})
	var changes <-chan hub.ObjectEvent
	seen := ""
	wg.Go(func() {
		list, rv := s.Objects("ConfigMap")
		if len(list) > 0 {
			seen = list[0].(*corev1.ConfigMap).Data["k"]
		}
		var err error
		if changes, _, err = s.WatchObjects(rv); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	next := 0
	if seen != "" {
		_, _ = fmt.Sscan(seen, &next)
		next++
	}
	for _, e := range take(changes) {
		if got := e.Object.(*corev1.ConfigMap).Data["k"]; got != fmt.Sprint(next) {
			t.Fatalf("after %d comes %s", next-1, got)
		}
		next++
	}
	if next != writes {
		t.Errorf("the last one was %d", next-1)
	}
}

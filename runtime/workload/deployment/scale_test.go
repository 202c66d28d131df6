package deployment

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// replicaSet is one of web's of n pods, made so many minutes before noon; the image stands for its template. By its status
// all of its pods serve.
func replicaSet(image string, n int32, minutes int) *appsv1.ReplicaSet {
	d := web(n, image)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-" + image, Namespace: "default", UID: types.UID("uid-" + image), Generation: 1,
			Labels: maps.Clone(d.Spec.Template.Labels), Annotations: map[string]string{},
			CreationTimestamp: metav1.NewTime(workloadtest.Noon.Add(-time.Duration(minutes) * time.Minute)),
			OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(d, kind)},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &n, Selector: d.Spec.Selector, Template: d.Spec.Template},
		Status: appsv1.ReplicaSetStatus{Replicas: n, ReadyReplicas: n, AvailableReplicas: n, ObservedGeneration: 1},
	}
}

// podsOf are the pods of a ReplicaSet: so many of them serve, the others do not.
func podsOf(rs *appsv1.ReplicaSet, n, serving int) (list []*corev1.Pod) {
	for i := range n {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", rs.Name, i), Namespace: rs.Namespace, UID: types.UID(fmt.Sprintf("%s-%d", rs.UID, i)),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		}}
		if i < serving {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(workloadtest.Noon)}}
		}
		list = append(list, p)
	}
	return list
}

// written are the sizes after a step, in the order of the list.
func written(res *workload.Result, sets []*appsv1.ReplicaSet) (sizes []int32) {
	for _, rs := range sets {
		n := *rs.Spec.Replicas
		for _, w := range res.Write {
			if w.GetUID() == rs.UID {
				n = *w.(*appsv1.ReplicaSet).Spec.Replicas
			}
		}
		sizes = append(sizes, n)
	}
	return sizes
}

func rolling(d *appsv1.Deployment, surge, unavailable intstr.IntOrString) *appsv1.Deployment {
	d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable}
	return d
}

// maxSurge is rounded up, maxUnavailable down, and the two are never both nothing.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable
func TestFencesAreRounded(t *testing.T) {
	number, text := intstr.FromInt32, intstr.FromString
	for _, c := range []struct {
		name               string
		n                  int32
		surge, unavailable intstr.IntOrString
		wantSurge, wantUn  int32
	}{
		{"a quarter of 10", 10, text("25%"), text("25%"), 3, 2},
		{"a quarter of 1", 1, text("25%"), text("25%"), 1, 0},
		{"numbers", 10, number(4), number(3), 4, 3},
		{"surge alone", 10, number(1), number(0), 1, 0},
		{"nothing at all", 10, number(0), number(0), 0, 1},
		{"too small a part", 10, number(0), text("9%"), 0, 1},
		{"no more than there are", 3, number(0), number(5), 0, 3},
		{"all of them", 4, text("100%"), text("100%"), 4, 4},
		{"none wanted", 0, text("25%"), text("25%"), 0, 0},
		{"what is no number", 10, text("many"), text("some"), 0, 1},
	} {
		surge, unavailable := fences(rolling(web(c.n, "v1"), c.surge, c.unavailable))
		if surge != c.wantSurge || unavailable != c.wantUn {
			t.Errorf("%s: surge %d, unavailable %d, want %d, %d", c.name, surge, unavailable, c.wantSurge, c.wantUn)
		}
	}
	d := web(10, "v1")
	d.Spec.Strategy.RollingUpdate = nil
	if surge, unavailable := fences(d); surge != 0 || unavailable != 1 {
		t.Errorf("nobody says: %d, %d", surge, unavailable)
	}
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	if surge, unavailable := fences(d); surge != 0 || unavailable != 0 {
		t.Errorf("Recreate: %d, %d", surge, unavailable)
	}
	d.Spec.Replicas = nil
	if got := replicas(d.Spec.Replicas); got != 1 {
		t.Errorf("nobody says how many: %d", got)
	}
}

// A Deployment that gets another size in the middle of a rollout gives each ReplicaSet its part: size x (wanted + surge) /
// (what that was before), rounded to the nearest; the largest gets what is left over. Of equal ones the newer grows and
// the older shrinks first. https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
func TestScaleInProportion(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after int32
		surge, was    int32
		sizes, want   []int32 // the newest first
	}{
		{"one that serves all grows", 10, 12, 0, 0, []int32{10}, []int32{12}},
		{"one that serves all shrinks", 10, 5, 0, 0, []int32{10}, []int32{5}},
		{"doubled", 5, 10, 0, 0, []int32{2, 3}, []int32{4, 6}},
		{"the documentation's example", 10, 15, 3, 3, []int32{5, 8}, []int32{7, 11}},
		{"less", 5, 3, 0, 0, []int32{2, 3}, []int32{1, 2}},
		{"one of a small part goes", 9, 4, 0, 0, []int32{8, 1}, []int32{4, 0}},
		{"three grow", 7, 10, 0, 0, []int32{2, 3, 2}, []int32{3, 4, 3}},
		{"three shrink", 13, 8, 0, 0, []int32{2, 8, 3}, []int32{1, 5, 2}},
		{"of equal ones the newest grows", 3, 4, 0, 0, []int32{1, 1, 1}, []int32{2, 1, 1}},
		{"of equal ones the oldest goes", 3, 2, 0, 0, []int32{1, 1, 1}, []int32{1, 1, 0}},
		{"to nothing", 6, 0, 2, 2, []int32{3, 2, 1}, []int32{0, 0, 0}},
		{"from nothing the newest alone", 6, 6, 0, 0, []int32{0, 0, 0}, []int32{6, 0, 0}},
		{"surge counts", 10, 20, 2, 2, []int32{6, 6}, []int32{11, 11}},
		{"size and surge", 10, 50, 6, 3, []int32{5, 8}, []int32{22, 34}},
	} {
		d := rolling(web(c.after, fmt.Sprint("v", len(c.sizes))), intstr.FromInt32(c.surge), intstr.FromInt32(1))
		d.Spec.Paused = true // sizes change, the rollout does not go on
		var sets []*appsv1.ReplicaSet
		for i, n := range c.sizes {
			rs := replicaSet(fmt.Sprint("v", len(c.sizes)-i), n, i)
			rs.Annotations = map[string]string{desiredAnnotation: fmt.Sprint(c.before), maxAnnotation: fmt.Sprint(c.before + c.was)}
			rs.Status.AvailableReplicas = 0
			sets = append(sets, rs)
		}
		res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: sets})
		if got := written(&res, sets); !slices.Equal(got, c.want) {
			t.Errorf("%s: sizes %v, want %v", c.name, got, c.want)
		}
		for _, w := range res.Write {
			rs := w.(*appsv1.ReplicaSet)
			if rs.Annotations[desiredAnnotation] != fmt.Sprint(c.after) || rs.Annotations[maxAnnotation] != fmt.Sprint(c.after+c.surge) {
				t.Errorf("%s: %s notes %v", c.name, rs.Name, rs.Annotations)
			}
		}
	}
}

// Whatever the sizes were: together they come to what is wanted with its surge, none is negative, and where there is
// nothing to add or take away nothing changes.
func TestProportionsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		before, after, surge := 1+r.Int32N(50), r.Int32N(50), r.Int32N(5)
		d := rolling(web(after, "new"), intstr.FromInt32(surge), intstr.FromInt32(0))
		s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}}
		var sets []*appsv1.ReplicaSet
		for i := range 2 + r.IntN(4) {
			rs := replicaSet(fmt.Sprint("v", i), 1+r.Int32N(20), i)
			rs.Annotations = map[string]string{desiredAnnotation: fmt.Sprint(before), maxAnnotation: fmt.Sprint(before + surge)}
			if r.IntN(8) == 0 {
				rs.Annotations[maxAnnotation] = "many"
			}
			sets = append(sets, rs)
		}
		was := size(sets)
		s.scaleInProportion(slices.Clone(sets))
		sum := int32(0)
		for _, n := range written(&s.res, sets) {
			if n < 0 {
				t.Fatalf("a size of %d", n)
			}
			sum += n
		}
		want := after + surge
		if after == 0 {
			want = 0
		}
		// What is left over comes of the largest alone, which may not have as much.
		if sum != want && (want >= was || sum < want) {
			t.Fatalf("%d of %d, and %d with surge %d, after %d: %v", was, before, after, surge, sum, written(&s.res, sets))
		}
	}
}

// A ReplicaSet of the present template that has all pods, and serves, ends the old ones when sizes are looked at; one
// that does not serve leaves them alone.
func TestSaturatedEndsTheOld(t *testing.T) {
	for _, c := range []struct {
		name    string
		serving int32
		noted   string
		want    []int32
	}{
		{"all serve", 3, "3", []int32{3, 0}},
		{"one does not", 2, "3", []int32{3, 1}},
		{"its size was of another Deployment's", 3, "4", []int32{3, 1}},
	} {
		d := rolling(web(3, "v2"), intstr.FromInt32(1), intstr.FromInt32(1))
		d.Spec.Paused = true
		sets := []*appsv1.ReplicaSet{replicaSet("v2", 3, 0), replicaSet("v1", 1, 9)}
		for _, rs := range sets {
			rs.Annotations = map[string]string{desiredAnnotation: c.noted, maxAnnotation: "4"}
		}
		sets[0].Status.AvailableReplicas = c.serving
		res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: sets})
		if got := written(&res, sets); !slices.Equal(got, c.want) {
			t.Errorf("%s: sizes %v, want %v", c.name, got, c.want)
		}
	}
}

// The current ReplicaSet grows as far as the upper fence lets it, which pods that are still there count for too, and
// never shrinks for it.
func TestNewSize(t *testing.T) {
	for _, c := range []struct {
		name              string
		surge             int32
		has, old, oldPods int32
		want              int32
	}{
		{"from nothing, with room for the surge", 2, 0, 10, 10, 2},
		{"no room", 0, 0, 10, 10, 0},
		{"the old ones have shrunk", 0, 0, 6, 6, 4},
		{"the old ones are to shrink but have not", 0, 0, 6, 10, 0},
		{"no more than wanted", 5, 8, 2, 2, 10},
		{"over the fence already", 0, 7, 10, 10, 7},
	} {
		d := rolling(web(10, "v2"), intstr.FromInt32(c.surge), intstr.FromInt32(1))
		current, old := replicaSet("v2", c.has, 0), replicaSet("v1", c.old, 9)
		s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}, pods: map[types.UID]pods{old.UID: {active: c.oldPods}}}
		if got := s.newSize(all([]*appsv1.ReplicaSet{old}, current), current); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	d := web(10, "v2")
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	s := &step{d: d}
	if got := s.newSize(nil, replicaSet("v2", 0, 0)); got != 10 {
		t.Errorf("Recreate: %d, want all 10 at once", got)
	}
}

// The old ReplicaSets first lose what does not serve anyhow, the oldest first, and then what is beyond the lower fence.
func TestShrink(t *testing.T) {
	type set struct{ size, serving int32 }
	for _, c := range []struct {
		name        string
		unavailable int32
		sets        []set // the current one, then the old ones, the oldest last
		want        []int32
	}{
		{"all serve, one may go", 1, []set{{0, 0}, {10, 10}}, []int32{0, 9}},
		{"none may go", 0, []set{{0, 0}, {10, 10}}, []int32{0, 10}},
		{"what serves of the new one may go of the old", 0, []set{{2, 2}, {10, 10}}, []int32{2, 8}},
		{"the new one does not serve: nothing goes", 0, []set{{2, 0}, {10, 10}}, []int32{2, 10}},
		{"what does not serve goes first", 0, []set{{4, 4}, {6, 6}, {4, 0}}, []int32{4, 6, 0}},
		{"the oldest goes first", 3, []set{{0, 0}, {5, 5}, {5, 5}}, []int32{0, 5, 2}},
		{"none serves: as many as there is room for", 2, []set{{0, 0}, {10, 0}}, []int32{0, 8}},
		{"the new one is broken and stands in the way", 2, []set{{2, 0}, {10, 10}}, []int32{2, 8}},
		{"it has all that it may have", 2, []set{{4, 0}, {8, 8}}, []int32{4, 8}},
		{"an old one has none", 1, []set{{1, 1}, {0, 0}, {10, 10}}, []int32{1, 0, 8}},
	} {
		d := rolling(web(10, "v9"), intstr.FromInt32(4), intstr.FromInt32(c.unavailable))
		in := workload.Input{Now: workloadtest.Noon}
		var sets []*appsv1.ReplicaSet
		for i, x := range c.sets {
			rs := replicaSet(fmt.Sprint("v", 9-i), x.size, i)
			rs.Status.AvailableReplicas = x.serving
			sets = append(sets, rs)
			in.Pods = append(in.Pods, podsOf(rs, int(x.size), int(x.serving))...)
		}
		s := &step{d: d, in: &in, sets: sets}
		s.countPods()
		resized := s.shrink(sets, active(sets[1:]), sets[0])
		got := written(&s.res, sets)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: sizes %v, want %v", c.name, got, c.want)
		}
		if want := len(s.res.Write) > 0; resized != want {
			t.Errorf("%s: says resized %v, wrote %d", c.name, resized, len(s.res.Write))
		}
	}
}

// A status that is behind what pods show never makes the Deployment take away what serves.
func TestShrinkWaitsForAnOldStatus(t *testing.T) {
	d := rolling(web(4, "v2"), intstr.FromInt32(1), intstr.FromInt32(0))
	current, old := replicaSet("v2", 1, 0), replicaSet("v1", 4, 9)
	for _, c := range []struct {
		name    string
		status  int32
		serving int
		want    []int32
	}{
		{"serves in its status and in fact", 1, 1, []int32{1, 3}},
		{"serves in its status alone", 1, 0, []int32{1, 4}},
		{"serves in fact alone", 0, 1, []int32{1, 4}},
	} {
		current.Status.AvailableReplicas = c.status
		in := workload.Input{Now: workloadtest.Noon, Pods: append(podsOf(current, 1, c.serving), podsOf(old, 4, 4)...)}
		sets := []*appsv1.ReplicaSet{current, old}
		s := &step{d: d, in: &in, sets: sets}
		s.countPods()
		s.shrink(sets, sets[1:], current)
		if got := written(&s.res, sets); !slices.Equal(got, c.want) {
			t.Errorf("%s: sizes %v, want %v", c.name, got, c.want)
		}
	}
	// One that was made smaller just now, and has not ended the others, is not asked to give more.
	old.Spec.Replicas, old.Status.AvailableReplicas = new(int32(2)), 4
	current.Status.AvailableReplicas = 1
	in := workload.Input{Now: workloadtest.Noon, Pods: append(podsOf(current, 1, 1), podsOf(old, 4, 4)...)}
	sets := []*appsv1.ReplicaSet{current, old}
	s := &step{d: rolling(web(2, "v2"), intstr.FromInt32(1), intstr.FromInt32(0)), in: &in, sets: sets}
	s.countPods()
	if s.shrink(sets, sets[1:], current) || len(s.res.Write) > 0 {
		t.Errorf("takes more: %v", written(&s.res, sets))
	}
}

// Recreate ends every old pod before there is one of the new template: one that ends still runs.
func TestRecreate(t *testing.T) {
	old, newer := replicaSet("v1", 2, 9), replicaSet("v2", 0, 0)
	d := web(2, "v2")
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	ending := podsOf(old, 1, 0)
	ending[0].DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
	over := podsOf(old, 1, 0)
	over[0].Status.Phase = corev1.PodFailed
	for _, c := range []struct {
		name string
		size int32
		pods []*corev1.Pod
		now  int32 // of the old one's status
		sets []*appsv1.ReplicaSet
		want string
	}{
		{"the old ones go first", 2, podsOf(old, 2, 2), 2, []*appsv1.ReplicaSet{old}, "web-v1:0"},
		{"also if there is a new one", 2, podsOf(old, 2, 2), 2, []*appsv1.ReplicaSet{old, newer}, "web-v1:0"},
		{"its status has pods", 0, nil, 1, []*appsv1.ReplicaSet{old}, ""},
		{"a pod ends", 0, ending, 0, []*appsv1.ReplicaSet{old, newer}, ""},
		{"a pod has ended", 0, over, 0, []*appsv1.ReplicaSet{old, newer}, "web-v2:2"},
		{"all are gone", 0, nil, 0, []*appsv1.ReplicaSet{old, newer}, "web-v2:2"},
		{"all are gone and there is no new one", 0, nil, 0, []*appsv1.ReplicaSet{old}, "new:2"},
	} {
		old.Spec.Replicas, old.Status.Replicas = &c.size, c.now
		res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: c.sets, Pods: c.pods})
		var got []string
		for _, w := range res.Write {
			rs := w.(*appsv1.ReplicaSet)
			name := rs.Name
			if rs.UID != old.UID && rs.UID != newer.UID {
				name = "new"
			}
			if *rs.Spec.Replicas > 0 || rs.UID == old.UID {
				got = append(got, fmt.Sprintf("%s:%d", name, *rs.Spec.Replicas))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: writes %v, want %s", c.name, got, c.want)
		}
	}
}

package disruption

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

var web = map[string]string{"app": "web"}

// pod is one of an owner ("", for none, or "Kind.group/UID").
func pod(name string, ready bool, owner *metav1.OwnerReference) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name), Labels: web},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
	if owner != nil {
		p.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return p
}

func of(apiVersion, kind, uid string) *metav1.OwnerReference {
	return &metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: uid, UID: types.UID(uid), Controller: new(true)}
}

func budget(least, most string) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "budget", Generation: 1},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: web}},
	}
	set := func(text string) *intstr.IntOrString {
		if text == "" {
			return nil
		}
		v := intstr.Parse(text)
		return &v
	}
	b.Spec.MinAvailable, b.Spec.MaxUnavailable = set(least), set(most)
	return b
}

// three pods of a Deployment that is being rolled: two of its old ReplicaSet, one, not ready, of the new one.
func rolling() ([]*corev1.Pod, map[types.UID]workload.Scale) {
	before, after := of("apps/v1", "ReplicaSet", "before"), of("apps/v1", "ReplicaSet", "after")
	return []*corev1.Pod{pod("a", true, before), pod("b", true, before), pod("c", false, after)},
		map[types.UID]workload.Scale{"before": {Of: "d", Replicas: 3}, "after": {Of: "d", Replicas: 3}}
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		least, most                         string
		expected, desired, healthy, allowed int32
	}{
		{"1", "", 3, 1, 2, 1},
		{"2", "", 3, 2, 2, 0},
		{"50%", "", 3, 2, 2, 0}, // rounded up
		{"20%", "", 3, 1, 2, 1},
		{"", "1", 3, 2, 2, 0},
		{"", "2", 3, 1, 2, 1},
		{"", "34%", 3, 1, 2, 1}, // rounded up
		{"", "100%", 3, 0, 2, 2},
		{"", "9", 3, 0, 2, 2},
		{"", "", 0, 0, 2, 0},
	} {
		pods, scales := rolling()
		res := Compute(budget(c.least, c.most), workload.Input{Pods: pods, Scales: scales})
		s := res.Object.(*policyv1.PodDisruptionBudget).Status
		if s.ExpectedPods != c.expected || s.DesiredHealthy != c.desired || s.CurrentHealthy != c.healthy || s.DisruptionsAllowed != c.allowed || s.ObservedGeneration != 1 {
			t.Errorf("%s %s: %+v", c.least, c.most, s)
		}
		want := metav1.ConditionFalse
		if c.allowed > 0 {
			want = metav1.ConditionTrue
		}
		if len(s.Conditions) != 1 || s.Conditions[0].Status != want {
			t.Errorf("%s %s: %+v", c.least, c.most, s.Conditions)
		}
	}
}

// A Job has no scale, and pods without a controller do not count: both are said once.
func TestWhatCannotBeCounted(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
		return Compute(o.(*policyv1.PodDisruptionBudget), in), true
	}
	b.Put(budget("", "1"))
	b.Settle()
	b.Pods = []*corev1.Pod{pod("a", true, nil)}
	b.Settle()
	b.Pods = []*corev1.Pod{pod("a", true, of("batch/v1", "Job", "j"))}
	b.Settle()
	b.Settle()
	s := b.Get("budget").(*policyv1.PodDisruptionBudget).Status
	if c := s.Conditions[0]; c.Reason != "SyncFailed" || c.Message != "jobs.batch does not implement the scale subresource" || s.DisruptionsAllowed != 0 {
		t.Errorf("%+v", s)
	}
	want := "[web Normal NoPods: No matching pods found web Warning CalculateExpectedPodCountFailed: Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource]"
	if got := fmt.Sprint(b.Events); got != want {
		t.Errorf("%s", got)
	}
}

func TestMayEvict(t *testing.T) {
	pods, scales := rolling()
	refused := func(what string, p *corev1.Pod, cause string, budgets ...*policyv1.PodDisruptionBudget) {
		t.Helper()
		got := ""
		if r := MayEvict(p, budgets, pods, scales); r != nil {
			got = r.Cause
		}
		if got != cause {
			t.Errorf("%s: %q, want %q", what, got, cause)
		}
	}
	tight := "The disruption budget web needs 2 healthy pods and has 2 currently"
	refused("no budget", pods[0], "")
	refused("room", pods[0], "", budget("1", ""))
	refused("no room", pods[0], tight, budget("2", ""))
	refused("not ready, enough others", pods[2], "", budget("2", ""))
	short := "The disruption budget web needs 3 healthy pods and has 2 currently"
	refused("not ready, too few others", pods[2], short, budget("3", ""))
	always := budget("3", "")
	always.Spec.UnhealthyPodEvictionPolicy = new(policyv1.AlwaysAllow)
	refused("not ready, whatever others do", pods[2], "", always)
	refused("ready", pods[0], short, always)
	other := budget("3", "")
	other.Namespace = "elsewhere"
	refused("of another namespace", pods[0], "", other)
	all := budget("1", "")
	all.Name, all.Spec.Selector = "all", &metav1.LabelSelector{}
	refused("two budgets", pods[0], "The disruption budgets web and all both select the pod", budget("1", ""), all)
	if r := MayEvict(pods[0], []*policyv1.PodDisruptionBudget{budget("1", ""), all}, pods, scales); r.Budget != "" {
		t.Errorf("%+v", r)
	}
	for _, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodSucceeded, corev1.PodFailed} {
		p := pod("d", false, nil)
		p.Status.Phase = phase
		refused(string(phase), p, "", budget("3", ""))
	}
	// What is ending does not serve, whoever evicted it: the next is not evicted.
	now := metav1.Now()
	ending := *pods[0]
	ending.DeletionTimestamp = &now
	pods[0] = &ending
	refused("after another", pods[1], "The disruption budget web needs 1 healthy pods and has 1 currently", budget("1", ""))
	refused("ending", pods[0], "", budget("3", ""))
}

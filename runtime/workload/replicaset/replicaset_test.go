package replicaset

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

var podLabels = map[string]string{"app": "web"}

func newSet(n int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "set", Generation: 1},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: podLabels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: map[string]string{"a": "b"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}
}

func lookAt(o workload.Object, in workload.Input) (workload.Result, bool) {
	switch o := o.(type) {
	case *appsv1.ReplicaSet:
		return Compute(o, in), true
	case *corev1.ReplicationController:
		return ComputeController(o, in), true
	}
	return workload.Result{}, false
}

func board(t *testing.T) *workloadtest.Board {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	return b
}

func TestPodsOfATemplate(t *testing.T) {
	b := board(t)
	b.Put(newSet(3))
	b.Settle()
	if len(b.Pods) != 3 {
		t.Fatalf("%d pods", len(b.Pods))
	}
	p := b.Pods[0]
	if p.GenerateName != "web-" || len(p.Name) != 9 || p.Labels["app"] != "web" || p.Annotations["a"] != "b" || p.UID == "" {
		t.Errorf("%+v", p.ObjectMeta)
	}
	ref := p.OwnerReferences[0]
	if ref.APIVersion != "apps/v1" || ref.Kind != "ReplicaSet" || ref.Name != "web" || ref.UID != "set" || !*ref.Controller || !*ref.BlockOwnerDeletion {
		t.Errorf("owner %+v", ref)
	}
	if want := "web Normal SuccessfulCreate: Created pod: " + p.Name; b.Events[0] != want {
		t.Errorf("%s, want %s", b.Events[0], want)
	}
	b.SetReady(p.UID, true)
	b.Settle()
	s := b.Get("set").(*appsv1.ReplicaSet).Status
	if s.Replicas != 3 || s.FullyLabeledReplicas != 3 || s.ReadyReplicas != 1 || s.AvailableReplicas != 1 || s.ObservedGeneration != 1 {
		t.Errorf("%+v", s)
	}
}

func TestFailedPodsAreReplaced(t *testing.T) {
	b := board(t)
	b.Put(newSet(2))
	b.Settle()
	b.Finish(b.Pods[0].UID, 1)
	b.Settle()
	if len(b.Pods) != 3 {
		t.Fatalf("%d pods", len(b.Pods))
	}
	names := map[string]bool{}
	for _, p := range b.Pods {
		names[p.Name] = true
	}
	if len(names) != 3 {
		t.Errorf("%v", names)
	}
}

func TestAdoptionAndRelease(t *testing.T) {
	b := board(t)
	orphan := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "orphan", Namespace: "default", UID: "orphan", Labels: podLabels}}
	other := orphan.DeepCopy()
	other.Name, other.UID = "other", "other"
	other.OwnerReferences = []metav1.OwnerReference{{UID: "someone", Controller: new(true)}}
	elsewhere := orphan.DeepCopy()
	elsewhere.Namespace, elsewhere.UID = "elsewhere", "elsewhere"
	b.Pods = []*corev1.Pod{orphan, other, elsewhere}
	b.Put(newSet(2))
	b.Settle()
	if got := len(b.Owned("set")); got != 2 {
		t.Fatalf("%d pods owned", got)
	}
	if workload.IsControlledBy(b.Pods[1], "set") || workload.IsControlledBy(b.Pods[2], "set") {
		t.Error("took a pod of somebody else")
	}
	// A pod whose podLabels are changed is set free, and replaced.
	b.Edit("orphan", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "debug"} })
	b.Settle()
	if got := b.Pods[0]; got.UID != "orphan" || len(got.OwnerReferences) != 0 || got.DeletionTimestamp != nil {
		t.Errorf("released pod %+v", got.ObjectMeta)
	}
	if got := len(b.Owned("set")); got != 2 {
		t.Errorf("%d pods owned", got)
	}
}

func TestWhichPodGoes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	pod := func(name string, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: "default", UID: types.UID(name), Labels: podLabels,
				CreationTimestamp: metav1.NewTime(now.Add(-24 * time.Hour)),
			},
			Spec: corev1.PodSpec{NodeName: "board"},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning,
				Conditions: []corev1.PodCondition{{
					Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-24 * time.Hour)),
				}},
			},
		}
		if change != nil {
			change(p)
		}
		return p
	}
	for name, change := range map[string]func(*corev1.Pod){
		"unassigned": func(p *corev1.Pod) { p.Spec.NodeName = "" },
		"pending":    func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending },
		"not ready":  func(p *corev1.Pod) { p.Status.Conditions = nil },
		"cheap":      func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: "-1"} },
		"ready for less": func(p *corev1.Pod) {
			p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-time.Hour))
		},
		"restarted": func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1}} },
		"younger":   func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			res := Compute(newSet(2), workload.Input{Now: now, Pods: []*corev1.Pod{pod("a", nil), pod("b", change), pod("c", nil)}})
			if len(res.Delete) != 1 || res.Delete[0].Name != "b" {
				t.Errorf("%v", res.Delete)
			}
		})
	}
}

func TestMinReadySeconds(t *testing.T) {
	b := board(t)
	rs := newSet(1)
	rs.Spec.MinReadySeconds = 10
	b.Put(rs)
	b.Settle()
	b.SetReady(b.Pods[0].UID, true)
	b.Settle()
	at := b.Now
	if !b.Wake() || b.Now.Sub(at) != 10*time.Second {
		t.Fatalf("wakes after %v", b.Now.Sub(at))
	}
	b.Settle()
	if got := b.Get("set").(*appsv1.ReplicaSet).Status.AvailableReplicas; got != 1 || b.Wake() {
		t.Errorf("%d available", got)
	}
}

func TestRefusedPods(t *testing.T) {
	b := board(t)
	b.Put(newSet(1))
	b.Fail("set", "quota exceeded")
	b.Settle()
	c := b.Get("set").(*appsv1.ReplicaSet).Status.Conditions
	if len(c) != 1 || c[0].Type != appsv1.ReplicaSetReplicaFailure || c[0].Reason != "FailedCreate" || c[0].Message != "quota exceeded" {
		t.Fatalf("%+v", c)
	}
	b.Fail("set", "")
	b.Settle()
	if s := b.Get("set").(*appsv1.ReplicaSet).Status; len(s.Conditions) != 0 || s.Replicas != 1 {
		t.Errorf("%+v", s)
	}
}

func TestReplicationController(t *testing.T) {
	b := board(t)
	s := newSet(2)
	b.Put(&corev1.ReplicationController{
		ObjectMeta: metav1.ObjectMeta{Name: "rc", Namespace: "default", UID: "rc", Generation: 1},
		Spec:       corev1.ReplicationControllerSpec{Replicas: s.Spec.Replicas, Selector: podLabels, Template: &s.Spec.Template},
	})
	b.Settle()
	if len(b.Pods) != 2 || b.Pods[0].OwnerReferences[0].APIVersion != "v1" || b.Pods[0].OwnerReferences[0].Kind != "ReplicationController" {
		t.Fatalf("%+v", b.Pods)
	}
	if got := b.Get("rc").(*corev1.ReplicationController).Status; got.Replicas != 2 || got.ObservedGeneration != 1 {
		t.Errorf("%+v", got)
	}
}

// Ten thousand pods are made in portions.
func TestBurst(t *testing.T) {
	if got := len(Compute(newSet(10000), workload.Input{}).Create); got != 500 {
		t.Errorf("%d pods in one step", got)
	}
}

// TestNumberOfPods plays deaths of podd and of pods: there are never more active pods than wanted.
func TestNumberOfPods(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := workloadtest.New(t, seed)
			b.Compute = lookAt
			b.Put(newSet(5))
			b.Check = func() {
				n := 0
				for _, p := range b.Pods {
					if workload.Active(p) {
						n++
					}
				}
				if n > 5 {
					t.Fatalf("%d pods", n)
				}
			}
			b.Play(200, func(p *corev1.Pod) {
				switch {
				case p.DeletionTimestamp != nil:
					b.Collect(p.UID)
				case b.Rand.IntN(3) == 0:
					b.Finish(p.UID, 1)
				case b.Rand.IntN(3) == 0:
					b.End(p.UID)
				default:
					b.SetReady(p.UID, b.Rand.IntN(2) == 0)
				}
			})
			b.Settle()
			if got := b.Get("set").(*appsv1.ReplicaSet).Status.Replicas; got != 5 {
				t.Errorf("%d replicas in the end", got)
			}
		})
	}
}

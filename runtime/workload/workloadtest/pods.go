package workloadtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
)

// Noon is the moment of tests of a single look.
var Noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Pod is a pod that runs and is a controller's. Words say what else it is: of a revision (old, new), ready (for a minute),
// pending, failed, succeeded, ends.
func Pod(owner metav1.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec, name string, words ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: owner.GetNamespace(), UID: types.UID("uid-" + name), Labels: maps.Clone(template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)},
		},
		Spec:   corev1.PodSpec{NodeName: NodeName},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, w := range words {
		switch w {
		case "old", "new":
			p.Labels[appsv1.ControllerRevisionHashLabelKey] = w
		case "ready":
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(Noon.Add(-time.Minute))}}
		case "pending":
			p.Status.Phase = corev1.PodPending
		case "failed":
			p.Status.Phase = corev1.PodFailed
		case "succeeded":
			p.Status.Phase = corev1.PodSucceeded
		case "ends":
			p.DeletionTimestamp = new(metav1.NewTime(Noon))
		default:
			panic("what is " + w)
		}
	}
	return p
}

// Revision keeps a template with another image, under a name.
func Revision(owner metav1.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec, name, image string, number int64) *appsv1.ControllerRevision {
	t := template.DeepCopy()
	t.Spec.Containers[0].Image = image
	r := workload.NewRevision(owner, kind, t, number, new(int32), &workload.Input{Now: Noon})
	r.Name, r.UID = name, types.UID("revision-"+name)
	return r
}

// Written describes the revisions that a look writes: the number of each and its name, of one that was not there "*". It
// fails for one that is not the owner's, or has a name that another has.
func Written(t testing.TB, owner metav1.Object, there []*appsv1.ControllerRevision, res *workload.Result) string {
	t.Helper()
	var list []string
	for _, w := range res.Write {
		r := w.(*appsv1.ControllerRevision)
		name := r.Name
		if !slices.ContainsFunc(there, func(o *appsv1.ControllerRevision) bool { return o.UID == r.UID }) {
			if r.UID == "" || !strings.HasPrefix(name, owner.GetName()+"-") || slices.ContainsFunc(there, func(o *appsv1.ControllerRevision) bool { return o.Name == name }) {
				t.Errorf("makes %s, UID %q", name, r.UID)
			}
			name = "*"
		}
		if !workload.IsControlledBy(r, owner.GetUID()) {
			t.Errorf("%s is not the controller's", r.Name)
		}
		list = append(list, fmt.Sprintf("%d %s", r.Revision, name))
	}
	return strings.Join(list, ", ")
}

// List lists objects by name, in their order.
func List[O metav1.Object](list []O) string {
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = o.GetName()
	}
	return strings.Join(names, " ")
}

// ServeAll lets all pods run and serve, those that are to end end, and time pass, until nothing changes any more.
func (b *Board) ServeAll() {
	b.T.Helper()
	for range 200 {
		b.Settle()
		busy := false
		for _, p := range slices.Clone(b.Pods) {
			switch {
			case p.DeletionTimestamp != nil:
				b.Collect(p.UID)
				busy = true
			case !workload.Ready(p):
				b.SetReady(p.UID, true)
				busy = true
			}
		}
		if !busy && !b.Wake() {
			return
		}
	}
	b.T.Fatal("the controllers do not come to rest")
}

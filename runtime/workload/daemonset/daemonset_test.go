package daemonset

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

func agent(surge int32) *appsv1.DaemonSet {
	labels := map[string]string{"app": "agent"}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "default", UID: "agent", Generation: 1},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxSurge: new(intstr.FromInt32(surge)), MaxUnavailable: new(intstr.FromInt32(1 - surge))},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "agent", Image: "agent"}}},
			},
		},
	}
}

func board(t *testing.T, seed uint64) *workloadtest.Board {
	b := workloadtest.New(t, seed)
	b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
		if d, ok := o.(*appsv1.DaemonSet); ok {
			return Compute(d, in), true
		}
		return workload.Result{}, false
	}
	return b
}

// A pod that has failed is taken away when the back-off is over, and not before.
func TestFailedPodWaits(t *testing.T) {
	b := board(t, 1)
	b.Put(agent(0))
	b.Settle()
	b.Finish(b.Pods[0].UID, 1)
	in := workload.Input{Now: b.Now, Pods: b.Pods, Node: b.Node, Revisions: workloadtest.Of[*appsv1.ControllerRevision](b), HoldUntil: b.Now.Add(time.Second)}
	d := b.Get("agent").(*appsv1.DaemonSet)
	if res := Compute(d, in); len(res.Delete)+len(res.Create) > 0 || !res.Wake.Equal(in.HoldUntil) {
		t.Errorf("%+v", res)
	}
	in.Now = in.HoldUntil
	if res := Compute(d, in); len(res.Delete) != 1 || res.Events[0].Reason != "FailedDaemonPod" {
		t.Errorf("%+v", res)
	}
}

// Whatever happens, and wherever podd dies: never two pods without surge, never more than two with it, never a moment
// without one that serves in a rollout with surge, and at rest one of the present template.
func TestOnePod(t *testing.T) {
	for seed := range uint64(12) {
		surge := int32(seed % 2)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := board(t, seed)
			b.Put(agent(surge))
			version, served := 0, false
			b.Check = func() {
				active, serving := 0, 0
				for _, p := range b.Pods {
					if workload.Active(p) {
						active++
						if workload.Ready(p) {
							serving++
						}
					}
				}
				if active > 1+int(surge) {
					t.Fatalf("%d pods", active)
				}
				if surge > 0 && served && serving == 0 {
					t.Fatal("nothing serves")
				}
				served = serving > 0
			}
			for range 20 {
				b.Play(10, func(p *corev1.Pod) {
					switch {
					case p.DeletionTimestamp != nil:
						b.Collect(p.UID)
					case surge == 0 && b.Rand.IntN(4) == 0:
						b.Finish(p.UID, 1)
					default:
						b.SetReady(p.UID, true)
					}
				})
				version++
				d := *b.Get("agent").(*appsv1.DaemonSet)
				d.Generation++
				d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "agent", Image: fmt.Sprint(version)}}
				b.Put(&d)
			}
			for range 20 {
				b.Settle()
				for _, p := range b.Pods {
					if p.DeletionTimestamp != nil {
						b.Collect(p.UID)
					} else {
						b.SetReady(p.UID, true)
					}
				}
			}
			b.Settle()
			if len(b.Pods) != 1 || b.Pods[0].Spec.Containers[0].Image != fmt.Sprint(version) {
				t.Fatalf("%d pods in the end, version %d", len(b.Pods), version)
			}
			s := b.Get("agent").(*appsv1.DaemonSet).Status
			if s.NumberAvailable != 1 || s.UpdatedNumberScheduled != 1 || s.NumberUnavailable != 0 || s.ObservedGeneration != int64(version)+1 {
				t.Errorf("%+v", s)
			}
			if n := len(workloadtest.Of[*appsv1.ControllerRevision](b)); n > 11 {
				t.Errorf("%d revisions", n)
			}
		})
	}
}

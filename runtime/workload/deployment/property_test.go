package deployment

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/replicaset"
	"podd/runtime/workload/workloadtest"
)

func compute(o workload.Object, in workload.Input) (workload.Result, bool) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return Compute(o, in), true
	case *appsv1.ReplicaSet:
		return replicaset.Compute(o, in), true
	}
	return workload.Result{}, false
}

func web(n int32, image string) *appsv1.Deployment {
	ten, deadline := int32(10), int32(600)
	surge, unavailable := intstr.FromString("25%"), intstr.FromString("25%")
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "web-uid", Generation: 1},
		Spec: appsv1.DeploymentSpec{
			Replicas: &n, RevisionHistoryLimit: &ten, ProgressDeadlineSeconds: &deadline,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
			},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
			},
		},
	}
}

func now(b *workloadtest.Board) *appsv1.Deployment { return b.Get("web-uid").(*appsv1.Deployment) }

// edit changes the Deployment as an edit of its file does.
func edit(b *workloadtest.Board, change func(*appsv1.Deployment)) {
	d := now(b).DeepCopy()
	change(d)
	d.Generation++
	b.Put(d)
}

// TestFences plays rollouts in which controllers look at any moment, podd dies in the middle of a step, and pods start
// and end when they like: there are never more pods than surge allows, and the Deployment itself never takes one that
// serves below what unavailable allows.
func TestFences(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := workloadtest.New(t, seed)
			b.Compute = compute
			n := int32(1 + b.Rand.IntN(10))
			surge, unavailable := int32(b.Rand.IntN(4)), int32(b.Rand.IntN(4))
			d := web(n, "v1")
			maxSurge, maxUnavailable := intstr.FromInt32(surge), intstr.FromInt32(unavailable)
			d.Spec.Strategy.RollingUpdate.MaxSurge, d.Spec.Strategy.RollingUpdate.MaxUnavailable = &maxSurge, &maxUnavailable
			if surge == 0 && unavailable == 0 {
				unavailable = 1
			}
			b.Put(d)
			b.ServeAll()
			b.Check = func() {
				live, serving := int32(0), int32(0)
				for _, p := range b.Pods {
					if workload.Active(p) {
						live++
						if workload.Ready(p) {
							serving++
						}
					}
				}
				if live > n+surge {
					t.Fatalf("%d pods, %d+%d allowed", live, n, surge)
				}
				if serving < n-unavailable {
					t.Fatalf("%d pods serve, %d-%d must", serving, n, unavailable)
				}
			}
			for version := range 3 {
				edit(b, func(d *appsv1.Deployment) {
					d.Spec.Template.Spec.Containers[0].Image = fmt.Sprint("v", b.Rand.IntN(2)+version)
				})
				b.Play(150, func(p *corev1.Pod) {
					switch {
					case p.DeletionTimestamp != nil:
						b.Collect(p.UID)
					case b.Rand.IntN(3) > 0:
						b.SetReady(p.UID, true)
					}
				})
			}
			b.ServeAll()
			if got := len(b.Pods); got != int(n) {
				t.Errorf("%d pods in the end, want %d", got, n)
			}
			for _, p := range b.Pods {
				if p.Spec.Containers[0].Image != now(b).Spec.Template.Spec.Containers[0].Image {
					t.Errorf("pod %s is of an old revision", p.Name)
				}
			}
			if b.Wake() {
				t.Errorf("a Deployment at rest asks to be looked at at %v", b.Now)
			}
		})
	}
}

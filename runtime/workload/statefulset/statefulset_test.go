package statefulset

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

func newSet(n int32, change func(*appsv1.StatefulSetSpec)) *appsv1.StatefulSet {
	labels := map[string]string{"app": "db"}
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "default", UID: "set", Generation: 1},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &n, ServiceName: "db", Selector: &metav1.LabelSelector{MatchLabels: labels},
			PodManagementPolicy: appsv1.OrderedReadyPodManagement,
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
				Type:          appsv1.RollingUpdateStatefulSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32)},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "db", Image: "v1"}}},
			},
		},
	}
	if change != nil {
		change(&s.Spec)
	}
	return s
}

func withClaims(s *appsv1.StatefulSetSpec) {
	s.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
}

func board(t *testing.T, seed uint64) *workloadtest.Board {
	b := workloadtest.New(t, seed)
	b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
		if s, ok := o.(*appsv1.StatefulSet); ok {
			return Compute(s, in), true
		}
		return workload.Result{}, false
	}
	return b
}

func now(b *workloadtest.Board) *appsv1.StatefulSet { return b.Get("set").(*appsv1.StatefulSet) }

func edit(b *workloadtest.Board, change func(*appsv1.StatefulSetSpec)) {
	s := now(b).DeepCopy()
	change(&s.Spec)
	s.Generation++
	b.Put(s)
}

func podNames(b *workloadtest.Board) string {
	var list []string
	for _, p := range b.Pods {
		name := p.Name + ":" + p.Spec.Containers[0].Image
		if p.DeletionTimestamp != nil {
			name += "-"
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func expect(t *testing.T, b *workloadtest.Board, want string) {
	t.Helper()
	if got := podNames(b); got != want {
		t.Errorf("pods %s, want %s", got, want)
	}
}

func TestOneAfterTheOther(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(3, nil))
	b.Settle()
	expect(t, b, "db-0:v1")
	p := b.Pods[0]
	if p.Spec.Hostname != "db-0" || p.Spec.Subdomain != "db" || p.Labels[appsv1.PodIndexLabel] != "0" ||
		p.Labels[appsv1.StatefulSetPodNameLabel] != "db-0" || p.Labels[appsv1.StatefulSetRevisionLabel] != now(b).Status.UpdateRevision {
		t.Errorf("%+v", p)
	}
	b.SetReady(p.UID, true)
	b.Settle()
	expect(t, b, "db-0:v1 db-1:v1")
	b.ServeAll()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v1")

	edit(b, func(s *appsv1.StatefulSetSpec) { *s.Replicas = 1 })
	b.Settle()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v1-")
	b.ServeAll()
	expect(t, b, "db-0:v1")
}

func TestParallel(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(3, func(s *appsv1.StatefulSetSpec) {
		s.PodManagementPolicy = appsv1.ParallelPodManagement
		s.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
	}))
	b.Settle()
	expect(t, b, "db-5:v1 db-6:v1 db-7:v1")
	edit(b, func(s *appsv1.StatefulSetSpec) { *s.Replicas = 1 })
	b.Settle()
	expect(t, b, "db-5:v1 db-6:v1- db-7:v1-")
}

func TestUpdateFromTheLast(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(3, nil))
	b.ServeAll()
	edit(b, func(s *appsv1.StatefulSetSpec) { s.Template.Spec.Containers[0].Image = "v2" })
	b.Settle()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v1-")
	if st := now(b).Status; st.CurrentRevision == st.UpdateRevision {
		t.Errorf("%+v", st)
	}
	b.ServeAll()
	expect(t, b, "db-0:v2 db-1:v2 db-2:v2")
	if st := now(b).Status; st.CurrentRevision != st.UpdateRevision || st.UpdatedReplicas != 3 || st.CurrentReplicas != 3 {
		t.Errorf("%+v", st)
	}
	if n := len(workloadtest.Of[*appsv1.ControllerRevision](b)); n != 2 {
		t.Errorf("%d revisions", n)
	}
	// The way back is the revision that is there already.
	edit(b, func(s *appsv1.StatefulSetSpec) { s.Template.Spec.Containers[0].Image = "v1" })
	b.ServeAll()
	list := workloadtest.Of[*appsv1.ControllerRevision](b)
	if len(list) != 2 || list[0].Revision != 3 || list[1].Revision != 2 {
		t.Errorf("%+v", list)
	}
}

func TestPartition(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(3, nil))
	b.ServeAll()
	edit(b, func(s *appsv1.StatefulSetSpec) {
		s.Template.Spec.Containers[0].Image = "v2"
		*s.UpdateStrategy.RollingUpdate.Partition = 2
	})
	b.ServeAll()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v2")
	// One below the partition comes back as it was.
	b.End(b.Owned("set")[0].UID)
	b.ServeAll()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v2")
}

func TestOnDelete(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(2, func(s *appsv1.StatefulSetSpec) {
		s.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
	}))
	b.ServeAll()
	edit(b, func(s *appsv1.StatefulSetSpec) { s.Template.Spec.Containers[0].Image = "v2" })
	b.ServeAll()
	expect(t, b, "db-0:v1 db-1:v1")
	b.End(b.Pods[0].UID)
	b.ServeAll()
	expect(t, b, "db-0:v2 db-1:v1")
}

func TestMaxUnavailable(t *testing.T) {
	b := board(t, 1)
	two := intstr.FromInt32(2)
	b.Put(newSet(4, func(s *appsv1.StatefulSetSpec) { s.UpdateStrategy.RollingUpdate.MaxUnavailable = &two }))
	b.ServeAll()
	edit(b, func(s *appsv1.StatefulSetSpec) { s.Template.Spec.Containers[0].Image = "v2" })
	b.Settle()
	expect(t, b, "db-0:v1 db-1:v1 db-2:v1- db-3:v1-")
}

func TestFailedPodKeepsItsNumber(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(1, nil))
	b.ServeAll()
	first := b.Pods[0].UID
	b.Finish(first, 1)
	b.Settle()
	if p := b.Pods[0]; p.DeletionTimestamp == nil {
		t.Fatal("a failed pod is not replaced")
	}
	b.ServeAll()
	expect(t, b, "db-0:v1")
	if b.Pods[0].UID == first {
		t.Error("the same pod")
	}
}

func TestClaims(t *testing.T) {
	b := board(t, 1)
	b.Put(newSet(2, func(s *appsv1.StatefulSetSpec) {
		withClaims(s)
		s.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
			WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
		}
	}))
	b.ServeAll()
	claims := workloadtest.Of[*corev1.PersistentVolumeClaim](b)
	if len(claims) != 2 || claims[0].Name != "data-db-0" || claims[0].Labels["app"] != "db" || claims[0].OwnerReferences[0].UID != "set" {
		t.Fatalf("%+v", claims)
	}
	v := b.Pods[0].Spec.Volumes
	if len(v) != 1 || v[0].Name != "data" || v[0].PersistentVolumeClaim.ClaimName != "data-db-0" {
		t.Errorf("%+v", v)
	}
	want := "db Normal SuccessfulCreate: Create Claim data-db-0 Pod db-0 in StatefulSet db success"
	if b.Events[0] != want || b.Events[1] != "db Normal SuccessfulCreate: Create Pod db-0 in StatefulSet db successful" {
		t.Errorf("%q", b.Events)
	}
	// A number that is given up takes its claim with it: the pod is its owner then.
	edit(b, func(s *appsv1.StatefulSetSpec) { *s.Replicas = 1 })
	b.Settle()
	claims = workloadtest.Of[*corev1.PersistentVolumeClaim](b)
	if ref := claims[1].OwnerReferences; len(ref) != 1 || ref[0].Kind != "Pod" || ref[0].Name != "db-1" {
		t.Errorf("%+v", ref)
	}
	// The number comes back before the old claim is gone: it has to wait.
	for _, p := range b.Owned("set") {
		b.Collect(p.UID)
	}
	edit(b, func(s *appsv1.StatefulSetSpec) { *s.Replicas = 2 })
	b.Settle()
	expect(t, b, "db-0:v1")
	b.Remove(claims[1].UID)
	b.ServeAll()
	expect(t, b, "db-0:v1 db-1:v1")
}

// TestNumbers plays edits, deaths of podd and of pods: there are never two pods of a number (the board refuses a second
// pod of a name), and never more than one that the update alone has made unavailable.
func TestNumbers(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := board(t, seed)
			b.Put(newSet(3, func(s *appsv1.StatefulSetSpec) {
				withClaims(s)
				if seed%2 == 1 {
					s.PodManagementPolicy = appsv1.ParallelPodManagement
				}
			}))
			b.ServeAll()
			b.Check = func() {
				unavailable := 0
				for _, p := range b.Pods {
					if p.DeletionTimestamp != nil || !workload.Ready(p) {
						unavailable++
					}
				}
				if missing := 3 - len(b.Pods); unavailable+missing > 1 {
					t.Fatalf("%s: more than one does not serve", podNames(b))
				}
			}
			for version := range 3 {
				edit(b, func(s *appsv1.StatefulSetSpec) {
					s.Template.Spec.Containers[0].Image = fmt.Sprint("v", b.Rand.IntN(2)+version)
				})
				b.Play(150, func(p *corev1.Pod) {
					if p.DeletionTimestamp != nil {
						b.Collect(p.UID)
					} else {
						b.SetReady(p.UID, true)
					}
				})
			}
			b.Check = func() {}
			for range 5 {
				edit(b, func(s *appsv1.StatefulSetSpec) { *s.Replicas = int32(b.Rand.IntN(5)) })
				b.Play(60, func(p *corev1.Pod) {
					switch {
					case p.DeletionTimestamp != nil:
						b.Collect(p.UID)
					case b.Rand.IntN(4) == 0:
						b.Finish(p.UID, 1)
					default:
						b.SetReady(p.UID, b.Rand.IntN(3) > 0)
					}
				})
			}
			b.ServeAll()
			if got, want := len(b.Pods), int(*now(b).Spec.Replicas); got != want {
				t.Errorf("%d pods in the end, want %d", got, want)
			}
			if b.Wake() {
				t.Error("a set at rest asks to be looked at")
			}
		})
	}
}

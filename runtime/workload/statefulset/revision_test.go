package statefulset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// podOf describes a pod of a set: its number, and words for what it is.
func podOf(s *appsv1.StatefulSet, words string) *corev1.Pod {
	number, rest, _ := strings.Cut(words, " ")
	p := workloadtest.Pod(s, kind, &s.Spec.Template, s.Name+"-"+number, strings.Fields(rest)...)
	p.Labels[appsv1.StatefulSetPodNameLabel], p.Labels[appsv1.PodIndexLabel] = p.Name, number
	return p
}

// rev is a revision of the set with this image.
func rev(s *appsv1.StatefulSet, name, image string, number int64) *appsv1.ControllerRevision {
	return workloadtest.Revision(s, kind, &s.Spec.Template, name, image, number)
}

// world is what a set looks at: its present template is the revision new, the one before it old.
func world(s *appsv1.StatefulSet, pods ...string) workload.Input {
	s.Status.CurrentRevision = "old"
	in := workload.Input{Now: workloadtest.Noon, Revisions: []*appsv1.ControllerRevision{rev(s, "old", "v0", 1), rev(s, "new", "v1", 2)}}
	for _, p := range pods {
		in.Pods = append(in.Pods, podOf(s, p))
	}
	return in
}

// numbers are those of pods.
func numbers(pods []*corev1.Pod) string {
	return strings.ReplaceAll(workloadtest.List(pods), "db-", "")
}

// A number is decimal digits that fit in 32 bits; all else is no pod of a set.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name, parent string
		ordinal      int
	}{
		{"db-0", "db", 0},
		{"my-db-17", "my-db", 17},
		{"db-007", "db", 7},
		{"db-2147483647", "db", 2147483647},
		{"db-2147483648", "db", -1},
		{"db", "", -1},
		{"db-", "", -1},
		{"db-x", "", -1},
		{"db-1x", "", -1},
		{"db-+1", "", -1},
		{"db--1", "db-", 1},
		{"-1", "", 1},
		{"", "", -1},
		{"db-١", "", -1},
	} {
		if parent, n := split(c.name); parent != c.parent || n != c.ordinal {
			t.Errorf("%q: %q, %d, want %q, %d", c.name, parent, n, c.parent, c.ordinal)
		}
	}
	for set, n := range map[string]int{"db": 0, "my-db": 99} {
		if parent, got := split(fmt.Sprintf("%s-%d", set, n)); parent != set || got != n {
			t.Errorf("%s-%d: %q, %d", set, n, parent, got)
		}
	}
}

// What is made and ended at one look. Ordered: one after the other, and only while all others serve; parallel: at once.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
func TestWhatIsMadeAndEnded(t *testing.T) {
	for _, c := range []struct {
		name        string
		n           int32
		pods        []string
		made, ended string // ordered
		atOnce, all string // parallel: made, ended
	}{
		{"none", 3, nil, "0", "", "0 1 2", ""},
		{"the first begins", 3, []string{"0 new"}, "", "", "1 2", ""},
		{"the first serves", 3, []string{"0 new ready"}, "1", "", "1 2", ""},
		{"the first ends", 3, []string{"0 new ready ends", "2 new ready"}, "", "", "1", ""},
		{"one in the middle misses", 3, []string{"0 new ready", "2 new ready"}, "1", "", "1", ""},
		{"one has failed", 3, []string{"0 new failed", "1 new ready"}, "", "0", "2", "0"},
		{"one has succeeded", 2, []string{"0 new succeeded", "1 new ready"}, "", "0", "", "0"},
		{"one has failed and goes already", 2, []string{"0 new failed ends", "1 new ready"}, "", "", "", ""},
		{"fewer", 1, []string{"0 new ready", "1 new ready", "2 new ready"}, "", "2", "", "2 1"},
		{"fewer, and the highest does not serve", 1, []string{"0 new ready", "1 new ready", "2 new"}, "", "2", "", "2 1"},
		{"fewer, and one below it does not serve", 1, []string{"0 new ready", "1 new", "2 new"}, "", "", "", "2 1"},
		{"fewer, and one that stays does not serve", 1, []string{"0 new", "1 new ready"}, "", "", "", "1"},
		{"fewer, and the highest ends", 1, []string{"0 new ready", "1 new ready", "2 new ends"}, "", "", "", "1"},
		{"fewer, and it has ended", 1, []string{"0 new ready", "1 new ready", "2 new failed"}, "", "2", "", "2 1"},
		{"none any more", 0, []string{"0 new ready", "1 new ready"}, "", "1", "", "1 0"},
		{"all there", 2, []string{"0 new ready", "1 new ready"}, "", "", "", ""},
	} {
		for _, parallel := range []bool{false, true} {
			made, ended := c.made, c.ended
			s := newSet(c.n, nil)
			if parallel {
				s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
				made, ended = c.atOnce, c.all
			}
			in := world(s, c.pods...)
			s.Status.CurrentRevision = "new"
			res := Compute(s, in)
			if numbers(res.Create) != made || numbers(res.Delete) != ended {
				t.Errorf("%s, parallel %v: makes %q, ends %q, want %q, %q", c.name, parallel, numbers(res.Create), numbers(res.Delete), made, ended)
			}
			in.CreateError = "no room"
			if res := Compute(s, in); len(res.Create) > 0 {
				t.Errorf("%s: makes pods that cannot be made", c.name)
			}
			s.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
			if res := Compute(s, in); len(res.Create)+len(res.Delete) > 0 {
				t.Errorf("%s: makes or ends pods though it is being removed", c.name)
			}
		}
	}
}

// Pods of an earlier revision go from the highest number down to the partition, as many as may be unavailable, and only
// when the others serve. Parallel ones that do not serve anyhow cost nothing.
func TestRoll(t *testing.T) {
	two, half := intstr.FromInt32(2), intstr.FromString("50%")
	small := intstr.FromString("1%")
	for _, c := range []struct {
		name          string
		partition     int32
		most          *intstr.IntOrString
		pods          []string
		want, inBurst string
	}{
		{"the highest", 0, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "3", "3"},
		{"the next", 0, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 new ready"}, "2", "2"},
		{"a new one does not serve yet", 0, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 new"}, "", ""},
		{"an old one does not serve", 0, nil, []string{"0 old ready", "1 old", "2 old ready", "3 old ready"}, "", "1"},
		{"two at once", 0, &two, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "3 2", "3 2"},
		{"half of four", 0, &half, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "3 2", "3 2"},
		{"a part that comes to none is one", 0, &small, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "3", "3"},
		{"two at once, one begins", 0, &two, []string{"0 old ready", "1 old ready", "2 old ready", "3 new"}, "", "2"},
		{"down to the partition", 3, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "3", "3"},
		{"no further", 3, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 new ready"}, "", ""},
		{"a partition beyond the set", 9, nil, []string{"0 old ready", "1 old ready", "2 old ready", "3 old ready"}, "", ""},
		{"all are new", 0, nil, []string{"0 new ready", "1 new ready", "2 new ready", "3 new ready"}, "", ""},
	} {
		for _, parallel := range []bool{false, true} {
			s := newSet(4, func(s *appsv1.StatefulSetSpec) {
				s.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &c.partition, MaxUnavailable: c.most}
			})
			want := c.want
			if parallel {
				s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
				want = c.inBurst
			}
			in := world(s, c.pods...)
			res := Compute(s, in)
			if got := numbers(res.Delete); got != want {
				t.Errorf("%s, parallel %v: ends %q, want %q", c.name, parallel, got, want)
			}
			s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
			if res := Compute(s, in); len(res.Delete) > 0 {
				t.Errorf("%s, OnDelete: ends %q", c.name, numbers(res.Delete))
			}
		}
	}
}

// A new pod below the partition is of the revision before; with OnDelete, and from the partition on, of the present one.
func TestRevisionOfANewPod(t *testing.T) {
	for _, c := range []struct {
		name     string
		start    int32
		strategy appsv1.StatefulSetUpdateStrategy
		current  int32 // pods of the revision before, by the status
		want     string
	}{
		{"no partition", 0, appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{}}, 3, "v1 v1 v1 v1"},
		{"a partition", 0, appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(2))}}, 0, "v0 v0 v1 v1"},
		{"a partition is from the first number on", 5, appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(1))}}, 0, "v0 v1 v1 v1"},
		{"nobody says", 0, appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType}, 3, "v0 v0 v0 v1"},
		{"by hand", 0, appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}, 3, "v1 v1 v1 v1"},
	} {
		s := newSet(4, func(s *appsv1.StatefulSetSpec) {
			s.PodManagementPolicy, s.UpdateStrategy = appsv1.ParallelPodManagement, c.strategy
			s.Ordinals = &appsv1.StatefulSetOrdinals{Start: c.start}
		})
		in := world(s)
		s.Status.CurrentReplicas = c.current
		res := Compute(s, in)
		var got []string
		for _, p := range res.Create {
			image := p.Spec.Containers[0].Image
			if want := map[string]string{"v0": "old", "v1": "new"}[image]; podRevision(p) != want {
				t.Errorf("%s: pod %s of %s has the label %s", c.name, p.Name, image, podRevision(p))
			}
			got = append(got, image)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// Of a large parallel set 32 pods are made at a look, each with its claims.
func TestManyAtOnce(t *testing.T) {
	s := newSet(100, func(s *appsv1.StatefulSetSpec) {
		withClaims(s)
		s.PodManagementPolicy = appsv1.ParallelPodManagement
	})
	res := Compute(s, workload.Input{Now: workloadtest.Noon})
	claims := 0
	for _, w := range res.Write {
		if _, ok := w.(*corev1.PersistentVolumeClaim); ok {
			claims++
		}
	}
	if len(res.Create) != 32 || claims != 32 || res.Create[31].Name != "db-31" {
		t.Errorf("%d pods, %d claims", len(res.Create), claims)
	}
	if st := res.Object.(*appsv1.StatefulSet).Status; st.Replicas != 0 {
		t.Errorf("counts pods that are not there: %+v", st)
	}
}

// A pod that has failed is replaced when its back-off is over, and higher numbers wait for it.
func TestHoldUntil(t *testing.T) {
	s := newSet(2, nil)
	in := world(s, "0 new failed", "1 old ready")
	in.HoldUntil = workloadtest.Noon.Add(time.Minute)
	if res := Compute(s, in); len(res.Delete) > 0 || !res.Wake.Equal(in.HoldUntil) {
		t.Errorf("ends %q, wakes at %v", numbers(res.Delete), res.Wake)
	}
	in.Now = in.HoldUntil
	if res := Compute(s, in); numbers(res.Delete) != "0" {
		t.Errorf("ends %q", numbers(res.Delete))
	}
}

// Pods that have a name of the set and its labels are its own; the labels that say the number are put right.
func TestClaimPods(t *testing.T) {
	s := newSet(3, nil)
	in := world(s, "0 new ready", "1 new ready", "2 new ready", "3 new ready", "4 new ready")
	in.Pods[1].OwnerReferences = nil                           // nobody's
	in.Pods[2].Labels[appsv1.StatefulSetPodNameLabel] = "db-9" // somebody wrote over it
	in.Pods[3].Labels = nil                                    // not its own any more
	in.Pods[4].Name, in.Pods[4].OwnerReferences = "other-4", nil
	res := Compute(s, in)
	written := map[string]*corev1.Pod{}
	for _, p := range res.Update {
		written[p.Name] = p
	}
	if p := written["db-1"]; p == nil || !workload.IsControlledBy(p, s.UID) {
		t.Errorf("nobody's: %+v", p)
	}
	if p := written["db-2"]; p == nil || p.Labels[appsv1.StatefulSetPodNameLabel] != "db-2" || p.Labels["app"] != "db" {
		t.Errorf("with another name: %+v", p)
	}
	if p := written["db-3"]; p == nil || len(p.OwnerReferences) != 0 {
		t.Errorf("with other labels: %+v", p)
	}
	if len(written) != 3 || len(res.Delete) > 0 {
		t.Errorf("writes %d, ends %q", len(written), numbers(res.Delete))
	}
	if in.Pods[2].Labels[appsv1.StatefulSetPodNameLabel] != "db-9" {
		t.Error("wrote into its input")
	}
	// A pod of somebody else that has the name of a number is in the way.
	s, in = newSet(1, nil), workload.Input{Now: workloadtest.Noon}
	in.Pods = []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "db-0", Namespace: "default"}}}
	res = Compute(s, in)
	if e := res.Events; len(res.Create) > 0 || len(e) != 1 || e[0].Reason != "FailedCreate" || e[0].Message != `Create Pod db-0 in StatefulSet db failed error: pods "db-0" already exists` {
		t.Errorf("makes %q, says %v", numbers(res.Create), e)
	}
	in.Pods[0].Namespace = "other"
	if res = Compute(s, in); numbers(res.Create) != "0" {
		t.Error("a pod of another namespace is in the way")
	}
}

// Whose the claims of a pod are, by the policy, and by whether the set wants the pod's number.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
func TestOwnersOfClaims(t *testing.T) {
	const keep, remove = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	stranger := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
	ruler := metav1.OwnerReference{APIVersion: "v1", Kind: "Database", Name: "x", UID: "x", Controller: new(true)}
	earlier := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "earlier"}
	earlierPod := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: "db-0", UID: "earlier"}
	for _, c := range []struct {
		name            string
		scaled, deleted appsv1.PersistentVolumeClaimRetentionPolicyType
		n               int32
		has             []metav1.OwnerReference
		want            string // kinds of owners; "=": they stay as they are
		warns           bool
	}{
		{"kept", keep, keep, 1, nil, "=", false},
		{"kept, of a number that goes", keep, keep, 0, nil, "=", false},
		{"goes with the set", keep, remove, 1, nil, "StatefulSet", false},
		{"goes with the set, of a number that goes", keep, remove, 0, nil, "StatefulSet", false},
		{"goes with the number, which stays", remove, keep, 1, nil, "=", false},
		{"goes with the number", remove, keep, 0, nil, "Pod", false},
		{"goes with either, and the number stays", remove, remove, 1, nil, "StatefulSet", false},
		{"goes with either, and the number goes", remove, remove, 0, nil, "Pod", false},
		{"another owner stays", keep, remove, 1, []metav1.OwnerReference{stranger}, "ConfigMap StatefulSet", false},
		{"another controller has the say", remove, remove, 1, []metav1.OwnerReference{ruler}, "=", true},
		{"another controller, and it is kept", keep, keep, 1, []metav1.OwnerReference{ruler}, "=", false},
		{"of an earlier set of the name", remove, remove, 1, []metav1.OwnerReference{earlier}, "=", false},
		{"of an earlier pod of the name", remove, remove, 1, []metav1.OwnerReference{earlierPod}, "=", false},
	} {
		s := newSet(c.n, func(s *appsv1.StatefulSetSpec) {
			withClaims(s)
			s.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: c.scaled, WhenDeleted: c.deleted}
		})
		in := world(s, "0 new ready")
		s.Status.CurrentRevision = "new"
		in.Claims = []*corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data-db-0", Namespace: "default", UID: "claim", OwnerReferences: c.has}}}
		res := Compute(s, in)
		got := "="
		for _, w := range res.Write {
			if w.GetName() == "data-db-0" {
				var list []string
				for _, ref := range w.GetOwnerReferences() {
					list = append(list, ref.Kind)
				}
				slices.Sort(list)
				got = strings.Join(list, " ")
				// A second look at what was written finds nothing to do.
				in.Claims = []*corev1.PersistentVolumeClaim{w.(*corev1.PersistentVolumeClaim)}
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if warns := slices.ContainsFunc(res.Events, func(e workload.Event) bool { return e.Reason == "ConflictingController" }); warns != c.warns {
			t.Errorf("%s: warns %v", c.name, warns)
		}
		if slices.ContainsFunc(Compute(s, in).Write, func(w workload.Object) bool { return w.GetName() == "data-db-0" }) {
			t.Errorf("%s: writes the claim at every look", c.name)
		}
	}
}

// A claim that is being removed keeps its number waiting, with a reason; other volumes of the template stay behind those
// of claims, which replace one of their name.
func TestClaimInTheWay(t *testing.T) {
	s := newSet(1, func(s *appsv1.StatefulSetSpec) {
		withClaims(s)
		s.Template.Spec.Volumes = []corev1.Volume{{Name: "config"}, {Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	in := workload.Input{Now: workloadtest.Noon, Claims: []*corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{
		Name: "data-db-0", Namespace: "default", UID: "claim", DeletionTimestamp: new(metav1.NewTime(workloadtest.Noon)),
	}}}}
	res := Compute(s, in)
	if e := res.Events; len(res.Create) > 0 || len(e) != 1 || e[0].Message != "Create Pod db-0 in StatefulSet db failed error: pvc data-db-0 is being deleted" {
		t.Errorf("makes %q, says %v", numbers(res.Create), e)
	}
	in.Claims[0].Namespace = "other"
	res = Compute(s, in)
	if len(res.Create) != 1 {
		t.Fatal("a claim of another namespace is in the way")
	}
	v := res.Create[0].Spec.Volumes
	if len(v) != 2 || v[0].Name != "data" || v[0].PersistentVolumeClaim == nil || v[1].Name != "config" {
		t.Errorf("%+v", v)
	}
}

// What becomes of the revisions that are there.
func TestRevisions(t *testing.T) {
	for _, c := range []struct {
		name  string
		there func(*appsv1.StatefulSet) []*appsv1.ControllerRevision
		want  string // those written: number and name; "*": one that is made
	}{
		{"none", func(*appsv1.StatefulSet) []*appsv1.ControllerRevision { return nil }, "1 *"},
		{"the present one", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(s, "b", "v1", 2), rev(s, "a", "v0", 1)}
		}, ""},
		{"an earlier one again", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(s, "a", "v1", 1), rev(s, "b", "v0", 2)}
		}, "3 a"},
		{"a new one", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(s, "a", "v0", 4)}
		}, "5 *"},
		{"the same in another text", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "a", "v1", 1)
			r.Data.Raw = append([]byte(" "), r.Data.Raw...)
			return []*appsv1.ControllerRevision{r}
		}, ""},
		{"nobody's", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "a", "v1", 1)
			r.OwnerReferences = nil
			return []*appsv1.ControllerRevision{r}
		}, "1 a"},
		{"somebody else's", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "a", "v1", 1)
			r.OwnerReferences[0].UID = "other"
			return []*appsv1.ControllerRevision{r}
		}, "1 *"},
		{"with other labels", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "a", "v1", 1)
			r.Labels = nil
			return []*appsv1.ControllerRevision{r}
		}, "1 *"},
		{"the name is taken by another content", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "db-"+workload.RevisionHash(workload.TemplatePatch(&s.Spec.Template), new(int32)), "v9", 1)
			r.OwnerReferences[0].UID = "other"
			return []*appsv1.ControllerRevision{r}
		}, "1 *"},
		{"damaged", func(s *appsv1.StatefulSet) []*appsv1.ControllerRevision {
			r := rev(s, "a", "v1", 1)
			r.Data.Raw = []byte(`{"spec":`)
			return []*appsv1.ControllerRevision{r}
		}, "2 *"},
	} {
		s := newSet(0, nil)
		in := workload.Input{Now: workloadtest.Noon, Revisions: c.there(s)}
		res := Compute(s, in)
		st := res.Object.(*appsv1.StatefulSet).Status
		if got := workloadtest.Written(t, s, in.Revisions, &res); got != c.want {
			t.Errorf("%s: writes %s, want %s", c.name, got, c.want)
		}
		if n := len(res.Write); strings.HasSuffix(c.want, "*") && res.Write[n-1].GetName() != st.UpdateRevision {
			t.Errorf("%s: updates to %s", c.name, st.UpdateRevision)
		}
		if want := int32(strings.Count(c.name, "taken")); *st.CollisionCount != want {
			t.Errorf("%s: %d collisions", c.name, *st.CollisionCount)
		}
	}
}

// The oldest revisions beyond the limit go, but for the two that count and those that pods are of.
func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit *int32
		pod   string
		want  string
	}{
		{"one is kept", new(int32(1)), "", "a b"},
		{"none is kept", new(int32(0)), "", "a b c"},
		{"below none is none", new(int32(-1)), "", "a b c"},
		{"one is in use", new(int32(0)), "b", "a c"},
		{"nobody says: ten", nil, "", ""},
	} {
		s := newSet(1, nil)
		s.Spec.RevisionHistoryLimit = c.limit
		x := &step{s: s, current: revision{name: "old"}, update: revision{name: "new"}}
		for i, name := range []string{"a", "old", "b", "c", "new"} {
			x.revisions = append(x.revisions, rev(s, name, name, int64(i)))
		}
		p := podOf(s, "0")
		p.Labels[appsv1.StatefulSetRevisionLabel] = c.pod
		x.pods = []*corev1.Pod{p}
		x.truncate()
		if got := workloadtest.List(x.res.Remove); got != c.want {
			t.Errorf("%s: removes %s, want %s", c.name, got, c.want)
		}
	}
}

// What the status counts, and when the update is the current revision.
func TestStatus(t *testing.T) {
	counts := func(s appsv1.StatefulSetStatus) string {
		return fmt.Sprintf("%d, ready %d, available %d, current %d %s, updated %d %s", s.Replicas, s.ReadyReplicas, s.AvailableReplicas, s.CurrentReplicas, s.CurrentRevision, s.UpdatedReplicas, s.UpdateRevision)
	}
	for _, c := range []struct {
		name    string
		seconds int32
		pods    []string
		want    string
	}{
		{"all are old", 0, []string{"0 old ready", "1 old ready"}, "2, ready 2, available 2, current 1 old, updated 0 new"},
		{"one is new", 0, []string{"0 old ready", "1 new"}, "2, ready 1, available 1, current 1 old, updated 1 new"},
		{"all are new, one does not serve", 0, []string{"0 new ready", "1 new"}, "2, ready 1, available 1, current 0 old, updated 2 new"},
		{"all are new", 0, []string{"0 new ready", "1 new ready"}, "2, ready 2, available 2, current 2 new, updated 2 new"},
		{"not for long enough", 3600, []string{"0 new ready", "1 new ready"}, "2, ready 2, available 0, current 2 new, updated 2 new"},
		{"ready but not running", 0, []string{"0 new ready pending", "1 new ready"}, "2, ready 1, available 1, current 0 old, updated 2 new"},
		{"one ends", 0, []string{"0 new ready", "1 new ready ends"}, "2, ready 2, available 2, current 0 old, updated 1 new"},
		{"one too many", 0, []string{"0 new ready", "1 new ready", "2 new ready"}, "3, ready 3, available 3, current 0 old, updated 3 new"},
	} {
		s := newSet(2, func(s *appsv1.StatefulSetSpec) { s.MinReadySeconds = c.seconds })
		res := Compute(s, world(s, c.pods...))
		if got := counts(res.Object.(*appsv1.StatefulSet).Status); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.seconds > 0 && !res.Wake.Equal(workloadtest.Noon.Add(59*time.Minute)) {
			t.Errorf("%s: wakes at %v", c.name, res.Wake)
		}
	}
}

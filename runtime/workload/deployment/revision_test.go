package deployment

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

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// numbered is a ReplicaSet with its place in the history.
func numbered(image string, n int32, minutes int, revision string) *appsv1.ReplicaSet {
	rs := replicaSet(image, n, minutes)
	rs.Annotations[RevisionAnnotation] = revision
	return rs
}

func TestRevisionOfReplicaSet(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1": 1, "9223372036854775807": 9223372036854775807, "9223372036854775808": 0, "two": 0, "1.0": 0} {
		if got := Revision(numbered("v1", 0, 0, text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := Revision(&appsv1.ReplicaSet{}); got != 0 {
		t.Errorf("without annotations: %d", got)
	}
}

// The list of the revisions that a ReplicaSet had before is at most 2000 bytes long: the oldest are forgotten.
func TestHistoryStaysShort(t *testing.T) {
	if got := remember("", "1"); got != "1" {
		t.Errorf("the first: %q", got)
	}
	if got := remember("1,3", "5"); got != "1,3,5" {
		t.Errorf("a third: %q", got)
	}
	history := ""
	for i := range 3000 {
		history = remember(history, fmt.Sprint(i))
		if len(history) > 2000 || !strings.HasSuffix(","+history, fmt.Sprintf(",%d", i)) {
			t.Fatalf("after %d: %d bytes, %q", i, len(history), history)
		}
	}
	if n := strings.Count(history, ",") + 1; n != 400 { // of four digits and a comma, but for the first
		t.Errorf("%d revisions in %d bytes", n, len(history))
	}
	if got := remember(strings.Repeat("9", 2000), "1"); got != "1" {
		t.Errorf("one number that is too long: %d bytes", len(got))
	}
}

// A name of a ReplicaSet is a DNS subdomain: 253 bytes with the hash, which stays whole.
func TestSetName(t *testing.T) {
	for n, want := range map[int]int{1: 12, 242: 253, 243: 253, 253: 253} {
		got := setName(strings.Repeat("a", n), "6789bcdf45")
		if len(got) != want || !strings.HasSuffix(got, "a-6789bcdf45") {
			t.Errorf("name of %d bytes: %d bytes, %q", n, len(got), got)
		}
	}
}

// Annotations go from a Deployment to its current ReplicaSet, but for those that say something of one of the two alone. A
// number only ever grows; the one before it is remembered.
func TestAnnotate(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      map[string]string
		of       map[string]string
		revision int64
		want     map[string]string
	}{
		{"the first", nil, map[string]string{"team": "a"}, 1, map[string]string{"team": "a", RevisionAnnotation: "1"}},
		{
			"what is one's own",
			map[string]string{desiredAnnotation: "3"},
			map[string]string{
				corev1.LastAppliedConfigAnnotation: "{}", RevisionAnnotation: "7", historyAnnotation: "1", desiredAnnotation: "9", maxAnnotation: "9",
				appsv1.DeprecatedRollbackTo: "1", "kubernetes.io/change-cause": "edit",
			},
			8,
			map[string]string{desiredAnnotation: "3", "kubernetes.io/change-cause": "edit", RevisionAnnotation: "8"},
		},
		{
			"it becomes current again",
			map[string]string{RevisionAnnotation: "2", historyAnnotation: "1", "team": "a"},
			map[string]string{"team": "b"},
			5,
			map[string]string{RevisionAnnotation: "5", historyAnnotation: "1,2", "team": "b"},
		},
		{"it is the latest", map[string]string{RevisionAnnotation: "5"}, nil, 5, map[string]string{RevisionAnnotation: "5"}},
		{"it has a higher number", map[string]string{RevisionAnnotation: "9"}, nil, 5, map[string]string{RevisionAnnotation: "9"}},
		{"its number is none", map[string]string{RevisionAnnotation: "x"}, nil, 5, map[string]string{RevisionAnnotation: "x"}},
	} {
		d := web(1, "v1")
		d.Annotations = c.of
		rs := replicaSet("v1", 1, 0)
		rs.Annotations = c.set
		before := maps.Clone(c.set)
		if got := (&step{d: d}).annotate(rs, c.revision); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if !maps.Equal(rs.Annotations, before) {
			t.Errorf("%s: wrote into what is there", c.name)
		}
	}
}

// Two templates are one but for the hash. Of several ReplicaSets with the present template the oldest is current.
func TestOldestOfOneTemplateIsCurrent(t *testing.T) {
	younger, older, other := numbered("v2", 1, 1, "4"), numbered("v2", 1, 5, "2"), numbered("v1", 1, 9, "3")
	older.Name, older.UID = "web-older", "older"
	older.Spec.Template.Labels = with(older.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, "6789")
	s := &step{d: web(1, "v2"), in: &workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{younger, older, other}}}
	s.claim()
	current, old := s.revise(false)
	if current == nil || current.UID != "older" || len(old) != 2 {
		t.Fatalf("%+v and %d old ones", current, len(old))
	}
	if got := current.Annotations[RevisionAnnotation]; got != "5" || s.d.Annotations[RevisionAnnotation] != "5" {
		t.Errorf("revision %s, of the Deployment %s, want one more than the highest of the others", got, s.d.Annotations[RevisionAnnotation])
	}
	if older.Annotations[RevisionAnnotation] != "2" {
		t.Error("wrote into its input")
	}
}

// A new ReplicaSet is made once under one name, with selector and template that its pods alone match.
func TestCreate(t *testing.T) {
	d := web(4, "v1")
	d.Spec.MinReadySeconds = 7
	res := Compute(d, workload.Input{Now: workloadtest.Noon})
	if len(res.Write) != 1 {
		t.Fatalf("writes %d", len(res.Write))
	}
	rs := res.Write[0].(*appsv1.ReplicaSet)
	hash := workload.TemplateHash(&d.Spec.Template, nil)
	want := map[string]string{"app": "web", "pod-template-hash": hash}
	if rs.Name != "web-"+hash || !maps.Equal(rs.Labels, want) || !maps.Equal(rs.Spec.Selector.MatchLabels, want) || !maps.Equal(rs.Spec.Template.Labels, want) {
		t.Errorf("%s, labels %v, selector %v, template %v", rs.Name, rs.Labels, rs.Spec.Selector, rs.Spec.Template.Labels)
	}
	if *rs.Spec.Replicas != 4 || rs.Spec.MinReadySeconds != 7 || rs.UID == "" || !workload.IsControlledBy(rs, d.UID) {
		t.Errorf("%+v", rs)
	}
	if len(d.Spec.Selector.MatchLabels) != 1 || len(d.Spec.Template.Labels) != 1 {
		t.Error("wrote into the Deployment")
	}
	// A name that is taken, by whomever, counts as a collision of hashes, and the next look tries another one.
	taken := rs.DeepCopy()
	taken.OwnerReferences, taken.Labels, taken.UID = nil, nil, "stranger"
	for n := range int32(3) {
		res = Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{taken}})
		if n == 0 {
			d = res.Object.(*appsv1.Deployment)
			if len(res.Write) > 0 || d.Status.CollisionCount == nil || *d.Status.CollisionCount != 1 {
				t.Fatalf("writes %d, collisions %v", len(res.Write), d.Status.CollisionCount)
			}
			continue
		}
		if got := res.Write[0].GetName(); got == taken.Name || got != "web-"+workload.TemplateHash(&d.Spec.Template, d.Status.CollisionCount) {
			t.Errorf("%s after a collision", got)
		}
	}
	taken.Namespace = "other"
	if res = Compute(web(4, "v1"), workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{taken}}); len(res.Write) != 1 {
		t.Error("the name in another namespace is in the way")
	}
}

// What is there of ReplicaSets: whose they are, and what changes for that.
func TestClaim(t *testing.T) {
	mine := func(change func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
		rs := numbered("v1", 1, 1, "1")
		change(rs)
		return rs
	}
	for _, c := range []struct {
		name   string
		set    *appsv1.ReplicaSet
		mine   bool
		owners string // as they are written; "": not at all
	}{
		{"its own", mine(func(*appsv1.ReplicaSet) {}), true, ""},
		{"nobody's", mine(func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil }), true, "web-uid"},
		{"somebody else's", mine(func(rs *appsv1.ReplicaSet) { rs.OwnerReferences[0].UID = "other" }), false, ""},
		{"its own with other labels", mine(func(rs *appsv1.ReplicaSet) { rs.Labels = nil }), false, "none"},
		{"nobody's with other labels", mine(func(rs *appsv1.ReplicaSet) { rs.Labels, rs.OwnerReferences = nil, nil }), false, ""},
		{"of another namespace", mine(func(rs *appsv1.ReplicaSet) { rs.Namespace, rs.OwnerReferences = "other", nil }), false, ""},
		{"nobody's, and being removed", mine(func(rs *appsv1.ReplicaSet) {
			rs.DeletionTimestamp, rs.OwnerReferences = new(metav1.NewTime(workloadtest.Noon)), nil
		}), false, ""},
	} {
		s := &step{d: web(1, "v1"), in: &workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{c.set}}}
		s.claim()
		if got := len(s.sets) == 1; got != c.mine {
			t.Errorf("%s: is the Deployment's %v", c.name, got)
		}
		owners := ""
		for _, w := range s.res.Write {
			owners = "none"
			for _, ref := range w.GetOwnerReferences() {
				owners = string(ref.UID)
			}
		}
		if owners != c.owners {
			t.Errorf("%s: writes owners %q, want %q", c.name, owners, c.owners)
		}
	}
	d := web(1, "v1")
	d.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
	orphan := mine(func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil })
	if res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{orphan}}); len(res.Write) > 0 || len(res.Create) > 0 {
		t.Error("a Deployment that is being removed adopts or makes ReplicaSets")
	}
}

// The oldest revisions beyond revisionHistoryLimit go, if they have and want no pods and have seen that they want none.
func TestCleanUp(t *testing.T) {
	empty := func(image, revision string, change func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
		rs := numbered(image, 0, 5, revision)
		if change != nil {
			change(rs)
		}
		return rs
	}
	for _, c := range []struct {
		name  string
		limit *int32
		old   []*appsv1.ReplicaSet
		want  string
	}{
		{"one is kept", new(int32(1)), []*appsv1.ReplicaSet{empty("a", "3", nil), empty("b", "1", nil), empty("c", "2", nil)}, "web-b web-c"},
		{"by number, not by text", new(int32(1)), []*appsv1.ReplicaSet{empty("a", "10", nil), empty("b", "9", nil)}, "web-b"},
		{"of one number by age", new(int32(1)), []*appsv1.ReplicaSet{empty("a", "1", nil), empty("b", "1", func(rs *appsv1.ReplicaSet) {
			rs.CreationTimestamp = metav1.NewTime(workloadtest.Noon.Add(-time.Hour))
		})}, "web-b"},
		{"none is kept", new(int32(0)), []*appsv1.ReplicaSet{empty("a", "1", nil), empty("b", "2", nil)}, "web-a web-b"},
		{"no limit", new(int32(maxInt32)), []*appsv1.ReplicaSet{empty("a", "1", nil)}, ""},
		{"nobody says", nil, []*appsv1.ReplicaSet{empty("a", "1", nil)}, ""},
		{"it wants pods", new(int32(0)), []*appsv1.ReplicaSet{empty("a", "1", func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = new(int32(1)) })}, ""},
		{"it has pods", new(int32(0)), []*appsv1.ReplicaSet{empty("a", "1", func(rs *appsv1.ReplicaSet) { rs.Status.Replicas = 1 })}, ""},
		{"it has not looked yet", new(int32(0)), []*appsv1.ReplicaSet{empty("a", "1", func(rs *appsv1.ReplicaSet) { rs.Generation = 2 })}, ""},
		{"it goes already and does not count", new(int32(1)), []*appsv1.ReplicaSet{empty("a", "1", func(rs *appsv1.ReplicaSet) {
			rs.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
		}), empty("b", "2", nil)}, ""},
	} {
		d := web(1, "v1")
		d.Spec.RevisionHistoryLimit = c.limit
		s := &step{d: d}
		s.cleanUp(c.old)
		if got := workloadtest.List(s.res.Remove); got != c.want {
			t.Errorf("%s: removes %q, want %q", c.name, got, c.want)
		}
	}
}

// The annotation that stands for rollbackTo of extensions/v1beta1 puts the template of a revision back once, and goes,
// whatever came of it.
func TestRollback(t *testing.T) {
	for _, c := range []struct {
		name, to  string
		revisions [2]string // of v1 and v2, which is present
		image     string
		event     string
	}{
		{"to a revision", "1", [2]string{"1", "2"}, "v1", `DeploymentRollback Rolled back deployment "web" to revision 1`},
		{"to the last", "0", [2]string{"4", "7"}, "v1", `DeploymentRollback Rolled back deployment "web" to revision 4`},
		{"to the present", "2", [2]string{"1", "2"}, "v2", `DeploymentRollbackTemplateUnchanged The rollback revision contains the same template as current deployment "web"`},
		{"to none", "9", [2]string{"1", "2"}, "v2", "DeploymentRollbackRevisionNotFound Unable to find the revision to rollback to."},
		{"to the last where there is none", "0", [2]string{"x", "y"}, "v2", "DeploymentRollbackRevisionNotFound Unable to find last revision."},
	} {
		d := web(1, "v2")
		d.Annotations = map[string]string{appsv1.DeprecatedRollbackTo: c.to, "kubernetes.io/change-cause": "edit", corev1.LastAppliedConfigAnnotation: "{}"}
		v1, v2 := numbered("v1", 0, 9, c.revisions[0]), numbered("v2", 1, 1, c.revisions[1])
		v1.Annotations["kubernetes.io/change-cause"] = "create"
		v1.Spec.Template.Labels = with(v1.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, "6789")
		res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{v1, v2}})
		got := res.Object.(*appsv1.Deployment)
		if image := got.Spec.Template.Spec.Containers[0].Image; image != c.image {
			t.Errorf("%s: image %s", c.name, image)
		}
		if _, asked := rollbackTo(got); asked {
			t.Errorf("%s: is asked for still", c.name)
		}
		if _, hash := got.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; hash {
			t.Errorf("%s: the template has the hash of its ReplicaSet", c.name)
		}
		cause, generation := "edit", int64(1)
		if c.image == "v1" {
			cause, generation = "create", 2
		}
		if got.Annotations["kubernetes.io/change-cause"] != cause || got.Annotations[corev1.LastAppliedConfigAnnotation] != "{}" || got.Generation != generation {
			t.Errorf("%s: generation %d, annotations %v", c.name, got.Generation, got.Annotations)
		}
		if e := res.Events[len(res.Events)-1]; e.Reason+" "+e.Message != c.event {
			t.Errorf("%s: says %s %s", c.name, e.Reason, e.Message)
		}
	}
	for _, text := range []string{"", "one", "1.5", "99999999999999999999"} {
		d := web(1, "v1")
		d.Annotations = map[string]string{appsv1.DeprecatedRollbackTo: text}
		if _, asked := rollbackTo(d); asked {
			t.Errorf("%q asks for a rollback", text)
		}
	}
}

func TestLastRevision(t *testing.T) {
	for _, c := range []struct {
		revisions []string
		want      int64
	}{
		{nil, 0}, {[]string{"1"}, 0}, {[]string{"1", "2"}, 1}, {[]string{"2", "1"}, 1}, {[]string{"1", "5", "3"}, 3}, {[]string{"5", "x", "3"}, 3},
	} {
		var list []*appsv1.ReplicaSet
		for _, r := range c.revisions {
			list = append(list, numbered("v"+r, 0, 0, r))
		}
		if got := lastRevision(list); got != c.want {
			t.Errorf("%v: %d, want %d", c.revisions, got, c.want)
		}
	}
}

func conditions(d *appsv1.DeploymentStatus) string {
	var list []string
	for _, c := range d.Conditions {
		list = append(list, fmt.Sprintf("%s=%s(%s)", c.Type, c.Status, c.Reason))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// A pause is kept out of the time that a rollout may take: Progressing is unknown from the pause on, and begins anew with
// the end of it. A rollout that has timed out has, pause or not; without a deadline nothing is noted.
func TestPause(t *testing.T) {
	progress := func(reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: reason, LastUpdateTime: metav1.NewTime(workloadtest.Noon.Add(-time.Hour))}}
	}
	for _, c := range []struct {
		name     string
		paused   bool
		deadline *int32
		before   []appsv1.DeploymentCondition
		want     string
	}{
		{"paused", true, new(int32(60)), progress(replicaSetUpdated), "Progressing=Unknown(DeploymentPaused)"},
		{"paused from the beginning", true, new(int32(60)), nil, "Progressing=Unknown(DeploymentPaused)"},
		{"resumed", false, new(int32(60)), progress(paused), "Progressing=Unknown(DeploymentResumed)"},
		{"not paused", false, new(int32(60)), progress(replicaSetUpdated), "Progressing=True(ReplicaSetUpdated)"},
		{"timed out before", true, new(int32(60)), progress(deadlineExceeded), "Progressing=True(ProgressDeadlineExceeded)"},
		{"no deadline", true, nil, nil, ""},
		{"a deadline that stands for none", true, new(int32(maxInt32)), nil, ""},
	} {
		d := web(1, "v1")
		d.Spec.Paused, d.Spec.ProgressDeadlineSeconds, d.Status.Conditions = c.paused, c.deadline, c.before
		s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}}
		s.notePause()
		s.notePause()
		if got := conditions(&d.Status); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if at := d.Status.Conditions; c.name == "resumed" && !at[0].LastUpdateTime.Time.Equal(workloadtest.Noon) {
			t.Errorf("the deadline is counted from %v", at[0].LastUpdateTime)
		}
	}
}

// What the status says of a rollout, and when it is looked at again.
func TestProgress(t *testing.T) {
	was := func(reason string, ago time.Duration) []appsv1.DeploymentCondition {
		at := metav1.NewTime(workloadtest.Noon.Add(-ago))
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: reason, LastUpdateTime: at, LastTransitionTime: at}}
	}
	for _, c := range []struct {
		name    string
		serving int32
		before  appsv1.DeploymentStatus
		want    string
		wake    time.Duration // after noon; 0: never
	}{
		{
			"a pod more", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, Conditions: was(replicaSetUpdated, time.Minute)},
			"Available=False(MinimumReplicasUnavailable) Progressing=True(ReplicaSetUpdated)", 601 * time.Second,
		},
		{
			"nothing new", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1, Conditions: was(replicaSetUpdated, time.Minute)},
			"Available=False(MinimumReplicasUnavailable) Progressing=True(ReplicaSetUpdated)", 541 * time.Second,
		},
		{
			"at the deadline itself", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1, Conditions: was(replicaSetUpdated, 600*time.Second)},
			"Available=False(MinimumReplicasUnavailable) Progressing=True(ReplicaSetUpdated)", time.Second,
		},
		{
			"past it", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 1, Conditions: was(replicaSetUpdated, 601*time.Second)},
			"Available=False(MinimumReplicasUnavailable) Progressing=False(ProgressDeadlineExceeded)", 0,
		},
		{
			"past it, and then a pod", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, Conditions: was(deadlineExceeded, time.Hour)},
			"Available=False(MinimumReplicasUnavailable) Progressing=True(ReplicaSetUpdated)", 601 * time.Second,
		},
		{
			"all serve", 2,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, Conditions: was(replicaSetUpdated, time.Minute)},
			"Available=True(MinimumReplicasAvailable) Progressing=True(NewReplicaSetAvailable)", 0,
		},
		{
			"a pod fails long after", 1,
			appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2, Conditions: was(newReplicaSetAvailable, 24*time.Hour)},
			"Available=False(MinimumReplicasUnavailable) Progressing=True(NewReplicaSetAvailable)", 0,
		},
	} {
		d := web(2, "v1")
		d.Status = c.before
		rs := numbered("v1", 2, 1, "1")
		rs.Status.AvailableReplicas = c.serving
		s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}}
		s.rolloutStatus([]*appsv1.ReplicaSet{rs}, rs)
		if got := conditions(&d.Status); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		says := map[string]string{replicaSetUpdated: "is progressing.", deadlineExceeded: "has timed out progressing.", newReplicaSetAvailable: "has successfully progressed."}
		if p := progressing(&d.Status); p.LastUpdateTime.Time.Equal(workloadtest.Noon) && p.Message != `ReplicaSet "web-v1" `+says[p.Reason] {
			t.Errorf("%s: says %q", c.name, p.Message)
		}
		switch {
		case c.wake == 0 && !s.res.Wake.IsZero(), c.wake != 0 && !s.res.Wake.Equal(workloadtest.Noon.Add(c.wake)):
			t.Errorf("%s: wakes at %v, want after %v", c.name, s.res.Wake, c.wake)
		}
	}
}

// The status is that of the look that resizes, too.
func TestStatusOfALookThatResizes(t *testing.T) {
	old := numbered("v1", 3, 9, "1")
	d := web(3, "v2")
	d.Generation = 5
	d.Status = appsv1.DeploymentStatus{Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	res := Compute(d, workload.Input{Now: workloadtest.Noon, ReplicaSets: []*appsv1.ReplicaSet{old}, Pods: podsOf(old, 3, 3)})
	st := res.Object.(*appsv1.Deployment).Status
	if len(res.Write) == 0 || st.ObservedGeneration != 5 || st.Replicas != 3 || st.UpdatedReplicas != 0 || st.AvailableReplicas != 3 {
		t.Errorf("%d written, %+v", len(res.Write), st)
	}
	if got := progressing(&st); got == nil || got.Reason != newReplicaSetCreated || got.Message != fmt.Sprintf("Created new replica set %q", res.Write[0].GetName()) {
		t.Errorf("%+v", got)
	}
}

// The numbers of a status are sums over all ReplicaSets; how many end is said only if each of them says so.
func TestCount(t *testing.T) {
	current, old := numbered("v2", 2, 1, "2"), numbered("v1", 3, 5, "1")
	current.Status.AvailableReplicas, current.Status.TerminatingReplicas = 1, new(int32(1))
	old.Status.ReadyReplicas, old.Status.TerminatingReplicas = 2, new(int32(2))
	d := web(4, "v2")
	d.Generation, d.Status.CollisionCount = 3, new(int32(1))
	s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}}
	list := []*appsv1.ReplicaSet{old, current}
	got := s.count(list, current)
	if got.Replicas != 5 || got.UpdatedReplicas != 2 || got.ReadyReplicas != 4 || got.AvailableReplicas != 4 || got.UnavailableReplicas != 1 ||
		got.ObservedGeneration != 3 || *got.CollisionCount != 1 || got.TerminatingReplicas == nil || *got.TerminatingReplicas != 3 {
		t.Errorf("%+v", got)
	}
	old.Status.TerminatingReplicas = nil
	if got := s.count(list, current); got.TerminatingReplicas != nil {
		t.Errorf("%d end, though one does not say", *got.TerminatingReplicas)
	}
	old.Status = appsv1.ReplicaSetStatus{} // it has not looked yet, and so has none
	if got := s.count(list, nil); got.TerminatingReplicas == nil || *got.TerminatingReplicas != 1 || got.UpdatedReplicas != 0 {
		t.Errorf("%+v", got)
	}
}

// What keeps a ReplicaSet from making pods is said of the Deployment, the current one's first, as long as it is so.
func TestReplicaFailure(t *testing.T) {
	fails := func(rs *appsv1.ReplicaSet, why string) {
		rs.Status.Conditions = []appsv1.ReplicaSetCondition{
			{Type: "Other"}, {Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: why},
		}
	}
	current, old := numbered("v2", 1, 1, "2"), numbered("v1", 1, 5, "1")
	d := web(1, "v2")
	s := &step{d: d, in: &workload.Input{Now: workloadtest.Noon}}
	for _, c := range []struct{ name, current, old, want string }{
		{"neither", "", "", ""}, {"the old one", "", "no room", "no room"}, {"both", "no image", "no room", "no image"}, {"none any more", "", "", ""},
	} {
		current.Status.Conditions, old.Status.Conditions = nil, nil
		if c.current != "" {
			fails(current, c.current)
		}
		if c.old != "" {
			fails(old, c.old)
		}
		// A condition with the status and reason that it has already keeps its sentence.
		remove(&d.Status, appsv1.DeploymentReplicaFailure)
		s.rolloutStatus([]*appsv1.ReplicaSet{old, current}, current)
		got := ""
		if x := condition(&d.Status, appsv1.DeploymentReplicaFailure); x != nil {
			got = x.Message
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// serving is a pod that is ready since so long; below 0: it is not.
func serving(since time.Duration) *corev1.Pod {
	p := &corev1.Pod{}
	if since >= 0 {
		p.Status.Conditions = []corev1.PodCondition{{Type: "Other"}, {Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: before(since)}}
	}
	return p
}

// A pod is available when it has been ready for minReadySeconds; until then it is said when that will be.
func TestAvailable(t *testing.T) {
	unknown := serving(0)
	unknown.Status.Conditions[1].LastTransitionTime = metav1.Time{}
	for _, c := range []struct {
		name      string
		p         *corev1.Pod
		seconds   int32
		available bool
		at        time.Duration // after noon; 0: no moment
	}{
		{"not ready", serving(-1), 0, false, 0},
		{"not ready, and nobody asks for how long", serving(-1), 10, false, 0},
		{"ready", serving(0), 0, true, 0},
		{"ready just now", serving(0), 10, false, 10 * time.Second},
		{"for a second less", serving(9 * time.Second), 10, false, time.Second},
		{"for as long", serving(10 * time.Second), 10, true, 0},
		{"for longer", serving(time.Hour), 10, true, 0},
		{"nobody knows since when", unknown, 10, false, 0},
		{"nobody knows since when, or asks", unknown, 0, true, 0},
		{"since a moment that is to come", serving(0), 1 << 30, false, (1 << 30) * time.Second},
	} {
		if got := Available(c.p, c.seconds, noon); got != c.available {
			t.Errorf("%s: available %v", c.name, got)
		}
		at := AvailableAt(c.p, c.seconds, noon)
		if c.at == 0 && !at.IsZero() || c.at != 0 && !at.Equal(noon.Add(c.at)) {
			t.Errorf("%s: at %v", c.name, at)
		}
	}
}

// A pod is active, or ending, or over: one of them at any moment.
func TestStatesOfPods(t *testing.T) {
	for _, phase := range []corev1.PodPhase{"", corev1.PodPending, corev1.PodRunning, corev1.PodUnknown, corev1.PodSucceeded, corev1.PodFailed} {
		for _, ending := range []bool{false, true} {
			p := &corev1.Pod{Status: corev1.PodStatus{Phase: phase}}
			if ending {
				p.DeletionTimestamp = new(metav1.NewTime(noon))
			}
			over := phase == corev1.PodSucceeded || phase == corev1.PodFailed
			if Terminal(p) != over || Active(p) != (!over && !ending) || Terminating(p) != (!over && ending) {
				t.Errorf("%s, ending %v: terminal %v, active %v, terminating %v", phase, ending, Terminal(p), Active(p), Terminating(p))
			}
		}
	}
}

// Which of two pods goes first: each rule of ReplicaSets decides where those before it do not.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
func TestByDeletion(t *testing.T) {
	pod := func(changes ...func(*corev1.Pod)) *corev1.Pod {
		p := serving(time.Hour)
		p.Spec.NodeName, p.Status.Phase, p.CreationTimestamp, p.UID = "board", corev1.PodRunning, before(2*time.Hour), "m"
		for _, change := range changes {
			change(p)
		}
		return p
	}
	cost := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.PodDeletionCost: text} }
	}
	restarted := func(n int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{{}, {RestartCount: n}} }
	}
	phase := func(x corev1.PodPhase) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Status.Phase = x } }
	unready := func(p *corev1.Pod) { p.Status.Conditions = nil }
	always := corev1.ContainerRestartPolicyAlways
	sidecar := func(n int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "init"}, {Name: "proxy", RestartPolicy: &always}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", RestartCount: 99}, {Name: "proxy", RestartCount: n}}
		}
	}
	for _, c := range []struct {
		name         string
		first, other *corev1.Pod
		activity     bool // ByActivity says the same
	}{
		{"without a board", pod(func(p *corev1.Pod) { p.Spec.NodeName = "" }), pod(phase(corev1.PodPending), unready), true},
		{"pending before running", pod(phase(corev1.PodPending)), pod(unready), true},
		{"pending before unknown", pod(phase(corev1.PodPending)), pod(phase(corev1.PodUnknown)), true},
		{"unknown before running", pod(phase(corev1.PodUnknown)), pod(unready), true},
		{"not ready", pod(unready), pod(cost("-100")), true},
		{"a lower cost", pod(cost("-1")), pod(restarted(9)), false},
		{"a cost of nothing before a higher one", pod(), pod(cost("1")), false},
		{"a cost that is none counts as nothing", pod(cost("-5")), pod(cost("many")), false},
		{"nor does one with a sign", pod(cost("+9")), pod(cost("1")), false},
		{"nor one with a zero before it", pod(cost("09")), pod(cost("1")), false},
		{"nor one that is too large", pod(cost("2147483648")), pod(cost("1")), false},
		{"ready for a shorter time", pod(func(p *corev1.Pod) { p.Status.Conditions = serving(time.Minute).Status.Conditions }), pod(restarted(9)), true},
		{"more restarts", pod(restarted(2)), pod(restarted(1)), true},
		{"more restarts of a sidecar", pod(sidecar(2)), pod(sidecar(1)), true},
		{"restarts before age", pod(restarted(1)), pod(func(p *corev1.Pod) { p.CreationTimestamp = before(time.Second) }), true},
		{"younger", pod(func(p *corev1.Pod) { p.CreationTimestamp = before(time.Second) }), pod(), true},
		{"of an age that is not known", pod(func(p *corev1.Pod) { p.CreationTimestamp = metav1.Time{} }), pod(), true},
	} {
		less := ByDeletion(noon)
		if less(c.first, c.other) >= 0 || less(c.other, c.first) <= 0 {
			t.Errorf("%s: %d and %d", c.name, less(c.first, c.other), less(c.other, c.first))
		}
		if got := ByActivity(c.first, c.other) < 0; c.activity && !got {
			t.Errorf("%s: not of a Job", c.name)
		}
	}
	// Ages that differ by less than their half are one: then it is by chance, which is the UID.
	a, b := pod(func(p *corev1.Pod) { p.CreationTimestamp, p.UID = before(100*time.Second), "b" }), pod(func(p *corev1.Pod) { p.CreationTimestamp, p.UID = before(101*time.Second), "a" })
	if ByDeletion(noon)(a, b) <= 0 || ByActivity(a, b) >= 0 {
		t.Error("of nearly one age: not by their UID, or of a Job not by the exact time")
	}
	if ByDeletion(noon)(pod(), pod()) != 0 || ByActivity(pod(), pod()) != 0 {
		t.Error("equal pods differ")
	}
}

// The comparisons are orders: turned around they say the opposite, and three pods have no circle.
func TestDeletionIsAnOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func() *corev1.Pod {
		p := serving(time.Duration(r.IntN(4)-1) * time.Minute)
		p.UID = types.UID(fmt.Sprint(r.IntN(1000)))
		p.Status.Phase = []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodUnknown}[r.IntN(3)]
		p.CreationTimestamp = before(time.Duration(r.IntN(5)) * time.Minute)
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: r.Int32N(3)}}
		p.Annotations = map[string]string{corev1.PodDeletionCost: fmt.Sprint(r.IntN(3) - 1)}
		if r.IntN(2) == 0 {
			p.Spec.NodeName = "board"
		}
		return p
	}
	for name, order := range map[string]func(a, b *corev1.Pod) int{"ByDeletion": ByDeletion(noon), "ByActivity": ByActivity} {
		for range 5000 {
			a, b, c := random(), random(), random()
			if order(a, b) != -order(b, a) || order(a, a) != 0 {
				t.Fatalf("%s: %d and %d", name, order(a, b), order(b, a))
			}
			if order(a, b) < 0 && order(b, c) < 0 && order(a, c) >= 0 {
				t.Fatalf("%s: a circle of %+v, %+v and %+v", name, a, b, c)
			}
		}
	}
}

// What becomes of an object that may be a child: every owner, by what selects and what ends.
// kubernetes pkg/controller, BaseControllerRefManager.ClaimObject
func TestJudge(t *testing.T) {
	const mine, other, none = "mine", "other", ""
	for _, owner := range []string{mine, other, none} {
		for i := range 16 {
			selects, ownerEnds, ends, elsewhere := i&1 > 0, i&2 > 0, i&4 > 0, i&8 > 0
			o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}}
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "a", UID: mine}}
			if owner != none {
				o.OwnerReferences = []metav1.OwnerReference{{UID: "somebody"}, {UID: types.UID(owner), Controller: new(true)}}
			}
			if ownerEnds {
				set.DeletionTimestamp = new(metav1.NewTime(noon))
			}
			if ends {
				o.DeletionTimestamp = new(metav1.NewTime(noon))
			}
			if elsewhere {
				o.Namespace = "b"
			}
			want := Ignore
			switch {
			case elsewhere || owner == other:
			case owner == mine && selects:
				want = Keep
			case owner == mine && !ownerEnds:
				want = Release
			case owner == none && selects && !ownerEnds && !ends:
				want = Adopt
			}
			if got := Judge(set, o, selects); got != want {
				t.Errorf("owner %q, selects %v, owner ends %v, it ends %v, elsewhere %v: %d, want %d", owner, selects, ownerEnds, ends, elsewhere, got, want)
			}
			if IsControlledBy(o, mine) != (owner == mine) {
				t.Errorf("owner %q: is controlled %v", owner, IsControlledBy(o, mine))
			}
		}
	}
}

// Owners after that: others stay, none is there twice, and the list that somebody has is not written to.
func TestOwn(t *testing.T) {
	ref := metav1.OwnerReference{UID: "mine", Controller: new(true)}
	for _, c := range []struct {
		name    string
		verdict Verdict
		has     string
		want    string
		changes bool
	}{
		{"kept", Keep, "mine other", "mine other", false},
		{"ignored", Ignore, "other", "other", false},
		{"adopted", Adopt, "", "mine", true},
		{"adopted beside another", Adopt, "other", "other mine", true},
		{"adopted that named it without control", Adopt, "mine other", "other mine", true},
		{"released", Release, "mine", "", true},
		{"released beside another", Release, "other mine", "other", true},
	} {
		var refs []metav1.OwnerReference
		for _, uid := range strings.Fields(c.has) {
			refs = append(refs, metav1.OwnerReference{UID: types.UID(uid)})
		}
		before := slices.Clone(refs)
		got, changed := Own(refs, c.verdict, ref)
		var uids []string
		for _, r := range got {
			uids = append(uids, string(r.UID))
		}
		if strings.Join(uids, " ") != c.want || changed != c.changes {
			t.Errorf("%s: %v, changed %v", c.name, uids, changed)
		}
		if !slices.Equal(refs, before) {
			t.Errorf("%s: wrote into the list", c.name)
		}
	}
}

// A selector that is none, is empty or is no selector matches nothing: it would be every pod of the namespace.
func TestSelectorOfNothing(t *testing.T) {
	for name, s := range map[string]*metav1.LabelSelector{
		"none": nil, "empty": {}, "no operator": {MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}},
		"In of nothing": {MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpIn}}},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}}
		if owned, changed := ClaimPods(&appsv1.ReplicaSet{}, metav1.OwnerReference{}, Selector(s), []*corev1.Pod{p}, nil); len(owned)+len(changed) > 0 {
			t.Errorf("%s: takes a pod", name)
		}
	}
	exists := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpExists}}}
	if s := Selector(exists); !s.Matches(labels.Set{"a": ""}) || s.Matches(labels.Set{"b": ""}) {
		t.Error("one that asks for a label does not go by it")
	}
}

// A revision keeps a template so that it comes back as it was, under one name; what is damaged is none.
func TestRevisionKeepsATemplate(t *testing.T) {
	owner := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "shop", UID: "uid", Annotations: map[string]string{"a": "b"}}}
	template := &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "db"}, Annotations: map[string]string{"é": "<&>"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "one"}}, TerminationGracePeriodSeconds: new(int64(0))},
	}
	in := &Input{Now: noon.Add(time.Millisecond)}
	r := NewRevision(owner, appsv1.SchemeGroupVersion.WithKind("StatefulSet"), template, 3, nil, in)
	again := NewRevision(owner, appsv1.SchemeGroupVersion.WithKind("StatefulSet"), template.DeepCopy(), 3, nil, in)
	if r.Name != again.Name || !strings.HasPrefix(r.Name, "db-") || r.Namespace != "shop" || r.Revision != 3 || !IsControlledBy(r, "uid") ||
		!r.CreationTimestamp.Time.Equal(noon) || r.Labels["app"] != "db" || r.Labels["controller.kubernetes.io/hash"] != strings.TrimPrefix(r.Name, "db-") {
		t.Errorf("%+v, and again %s", r.ObjectMeta, again.Name)
	}
	if len(template.Labels) != 1 {
		t.Error("wrote into the template")
	}
	if kept, ok := RevisionTemplate(r); !ok || !KeepsTemplate(r, template) || kept.Spec.Containers[0].Image != "one" {
		t.Errorf("%+v", kept)
	}
	other := template.DeepCopy()
	other.Spec.Containers[0].Image = "two"
	if KeepsTemplate(r, other) || RevisionHash(TemplatePatch(other), nil) == RevisionHash(r.Data.Raw, nil) {
		t.Error("another template is the same")
	}
	if RevisionHash(r.Data.Raw, nil) == RevisionHash(r.Data.Raw, new(int32(1))) || TemplateHash(template, nil) == TemplateHash(template, new(int32(1))) {
		t.Error("a collision changes no hash")
	}
	for _, bad := range []string{"", "null", "{}", `{"spec":{}}`, `{"spec":{"template":null}}`, `{"spec":{"template":[]}}`, `{"spec"`} {
		if _, ok := RevisionTemplate(&appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: []byte(bad)}}); ok {
			t.Errorf("%q keeps a template", bad)
		}
	}
	if got := RevisionName(strings.Repeat("a", 250), "6789bcdf45"); len(got) > 253 || !strings.HasSuffix(got, "a-6789bcdf45") {
		t.Errorf("a name of %d bytes", len(got))
	}
}

// How many pods an owner wants, for budgets: a ReplicaSet of a Deployment wants what that says.
func TestScaleOf(t *testing.T) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "d"}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(5))}}
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{UID: "rs"}, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(2))}}
	owned := rs.DeepCopy()
	owned.OwnerReferences = []metav1.OwnerReference{{UID: "d", Controller: new(true)}}
	lost := rs.DeepCopy()
	lost.OwnerReferences = []metav1.OwnerReference{{UID: "gone", Controller: new(true)}}
	get := func(uid types.UID) Object {
		if uid == "d" {
			return d
		}
		return nil
	}
	for name, c := range map[string]struct {
		o    Object
		want Scale
		ok   bool
	}{
		"a Deployment":            {d, Scale{"d", 5}, true},
		"a ReplicaSet":            {rs, Scale{"rs", 2}, true},
		"a Deployment's":          {owned, Scale{"d", 5}, true},
		"one whose owner is gone": {lost, Scale{"rs", 2}, true},
		"a StatefulSet":           {&appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: new(int32(0))}}, Scale{}, true},
		"a controller":            {&corev1.ReplicationController{Spec: corev1.ReplicationControllerSpec{Replicas: new(int32(1))}}, Scale{"", 1}, true},
		"nobody says":             {&appsv1.StatefulSet{}, Scale{}, false},
		"a Job":                   {&batchv1.Job{}, Scale{}, false},
		"a DaemonSet":             {&appsv1.DaemonSet{}, Scale{}, false},
	} {
		if got, ok := ScaleOf(c.o, get); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

// A result asks for the earliest of all looks, and is settled while it only says something.
func TestResult(t *testing.T) {
	var r Result
	for _, at := range []time.Duration{3, 1, 2} {
		r.WakeAt(noon.Add(at))
	}
	r.WakeAt(time.Time{})
	if !r.Wake.Equal(noon.Add(1)) {
		t.Errorf("wakes at %v", r.Wake)
	}
	r.Normal("A", "a")
	r.Warning("B", "b")
	if !r.Settled() || fmt.Sprint(r.Events) != "[{Normal A a} {Warning B b}]" {
		t.Errorf("%+v", r)
	}
	for name, change := range map[string]func(*Result){
		"object": func(r *Result) { r.Object = &batchv1.Job{} }, "write": func(r *Result) { r.Write = []Object{nil} }, "remove": func(r *Result) { r.Remove = []Object{nil} },
		"create": func(r *Result) { r.Create = []*corev1.Pod{nil} }, "update": func(r *Result) { r.Update = []*corev1.Pod{nil} }, "delete": func(r *Result) { r.Delete = []*corev1.Pod{nil} },
	} {
		some := Result{}
		if change(&some); some.Settled() {
			t.Errorf("%s leaves the world as it is", name)
		}
	}
}

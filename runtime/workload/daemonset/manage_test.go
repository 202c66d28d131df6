package daemonset

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
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// rev is a revision of the DaemonSet with this image.
func rev(d *appsv1.DaemonSet, image, hash string, number int64) *appsv1.ControllerRevision {
	r := workloadtest.Revision(d, kind, &d.Spec.Template, d.Name+"-"+hash, image, number)
	r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = hash
	return r
}

// podOf describes a pod of the DaemonSet: its age in minutes, which is its name, and words for what it is. One that is
// unbound is on no board yet.
func podOf(d *appsv1.DaemonSet, words string) *corev1.Pod {
	f := strings.Fields(words)
	unbound := slices.Contains(f, "unbound")
	p := workloadtest.Pod(d, kind, &d.Spec.Template, f[0], slices.DeleteFunc(f[1:], func(w string) bool { return w == "unbound" })...)
	if unbound {
		p.Spec.NodeName = ""
	}
	p.CreationTimestamp = metav1.NewTime(workloadtest.Noon.Add(-time.Duration(f[0][0]-'0') * time.Minute))
	return p
}

// What is made and what is ended, for all that pods and board can be. Rows are the rules of kube-controller-manager,
// podsShouldBeOnNode and rollingUpdate, for one board.
func TestWhatIsMadeAndEnded(t *testing.T) {
	keepsAway := []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}
	drives := []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoExecute}}
	for _, c := range []struct {
		name   string
		surge  int32
		taints []corev1.Taint
		pods   []string
		made   int
		ended  string
	}{
		{"none", 0, nil, nil, 1, ""},
		{"one serves", 0, nil, []string{"1 new ready"}, 0, ""},
		{"one begins", 0, nil, []string{"1 new"}, 0, ""},
		{"one ends", 0, nil, []string{"1 new ends"}, 0, ""},
		{"one has ended and is to go", 0, nil, []string{"1 new failed ends"}, 1, ""},
		{"one has failed", 0, nil, []string{"1 new failed"}, 0, "1"},
		{"one has succeeded", 0, nil, []string{"1 new succeeded"}, 0, "1"},
		{"two: the oldest stays", 0, nil, []string{"1 new ready", "5 new"}, 0, "1"},
		{"two: the one on the board stays", 0, nil, []string{"5 new unbound", "1 new"}, 0, "5"},
		{"one of an earlier template", 0, nil, []string{"5 old ready"}, 0, "5"},
		{"the same, and it does not serve", 0, nil, []string{"5 old"}, 0, "5"},
		{"an old one beside a new one", 0, nil, []string{"5 old ready", "1 new"}, 0, "1"},

		{"surge: the old one stays until there is a new one", 1, nil, []string{"5 old ready"}, 1, ""},
		{"surge: until it serves", 1, nil, []string{"5 old ready", "1 new"}, 0, ""},
		{"surge: then it goes", 1, nil, []string{"5 old ready", "1 new ready"}, 0, "5"},
		{"surge: an old one that does not serve goes", 1, nil, []string{"5 old", "1 new"}, 0, "5"},
		{"surge: two new ones", 1, nil, []string{"5 new", "1 new"}, 0, "1"},
		{"surge: two old ones", 1, nil, []string{"5 old ready", "4 old ready", "1 new"}, 0, "4"},
		{"surge: the only one ends", 1, nil, []string{"5 new ends"}, 1, ""},
		{"surge: it has failed", 1, nil, []string{"5 new failed"}, 1, "5"},

		{"kept away: none", 0, keepsAway, nil, 0, ""},
		{"kept away: one stays", 0, keepsAway, []string{"1 new ready"}, 0, ""},
		{"kept away: one of an earlier template goes when it does not serve", 0, keepsAway, []string{"1 old"}, 0, "1"},
		{"kept away, surge: one of an earlier template goes", 1, keepsAway, []string{"1 old ready"}, 0, "1"},
		{"kept away, surge: it ends and no other is made", 1, keepsAway, []string{"1 new ends"}, 0, ""},
		{"driven out", 0, drives, []string{"1 new ready", "2 new failed", "3 new ends"}, 0, "1 2"},
		{"driven out: none", 0, drives, nil, 0, ""},
	} {
		d := agent(c.surge)
		in := workload.Input{Now: workloadtest.Noon, Node: theBoard(c.taints...), Revisions: []*appsv1.ControllerRevision{rev(d, "agent", "new", 2), rev(d, "before", "old", 1)}}
		for _, p := range c.pods {
			in.Pods = append(in.Pods, podOf(d, p))
		}
		res := Compute(d, in)
		slices.SortFunc(res.Delete, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
		if got := workloadtest.List(res.Delete); len(res.Create) != c.made || got != c.ended {
			t.Errorf("%s: makes %d, ends %q, want %d, %q", c.name, len(res.Create), got, c.made, c.ended)
		}
		in.CreateError = "no room"
		if res := Compute(d, in); len(res.Create) > 0 {
			t.Errorf("%s: makes a pod that cannot be made", c.name)
		}
		d.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
		if res := Compute(d, in); !res.Settled() {
			t.Errorf("%s: does something though it is being removed", c.name)
		}
		// With OnDelete nobody but the user replaces a pod of an earlier template.
		d.DeletionTimestamp, d.Spec.UpdateStrategy = nil, appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
		if len(c.pods) == 1 && strings.Contains(c.pods[0], "old") && len(Compute(d, in).Delete) > 0 {
			t.Errorf("%s: OnDelete ends it", c.name)
		}
	}
}

// How many more, and how many fewer, pods there may be in an update; never both none where there is a board.
func TestLimits(t *testing.T) {
	number := func(n int32) *intstr.IntOrString { return new(intstr.FromInt32(n)) }
	text := func(s string) *intstr.IntOrString { return new(intstr.FromString(s)) }
	for _, c := range []struct {
		name               string
		surge, unavailable *intstr.IntOrString
		fits               bool
		wantSurge, wantUn  int
	}{
		{"the default", number(0), number(1), true, 0, 1},
		{"surge", number(1), number(0), true, 1, 0},
		{"a part of one is one", text("1%"), text("0%"), true, 1, 0},
		{"both parts", text("0%"), text("30%"), true, 0, 1},
		{"neither", number(0), number(0), true, 0, 1},
		{"nobody says", nil, nil, true, 0, 1},
		{"no numbers", text("many"), text("some"), true, 0, 1},
		{"not for this board", number(0), text("100%"), false, 0, 0},
	} {
		d := agent(0)
		d.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxSurge: c.surge, MaxUnavailable: c.unavailable}
		surge, unavailable := (&step{d: d, fit: fitness{run: c.fits}}).limits()
		if surge != c.wantSurge || unavailable != c.wantUn {
			t.Errorf("%s: %d, %d, want %d, %d", c.name, surge, unavailable, c.wantSurge, c.wantUn)
		}
		d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType
		if surge, unavailable := (&step{d: d, fit: fitness{run: c.fits}}).limits(); surge != 0 || unavailable != 0 {
			t.Errorf("%s, OnDelete: %d, %d", c.name, surge, unavailable)
		}
	}
}

// The status counts boards, of which there is one: by the oldest pod, whatever there is besides it.
func TestStatus(t *testing.T) {
	counts := func(s appsv1.DaemonSetStatus) string {
		return fmt.Sprintf("desired %d current %d misscheduled %d ready %d available %d unavailable %d updated %d",
			s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.NumberMisscheduled, s.NumberReady, s.NumberAvailable, s.NumberUnavailable, s.UpdatedNumberScheduled)
	}
	keepsAway := []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}
	for _, c := range []struct {
		name    string
		seconds int32
		taints  []corev1.Taint
		pods    []string
		want    string
		wake    time.Duration
	}{
		{"none", 0, nil, nil, "desired 1 current 0 misscheduled 0 ready 0 available 0 unavailable 1 updated 0", 0},
		{"begins", 0, nil, []string{"1 new"}, "desired 1 current 1 misscheduled 0 ready 0 available 0 unavailable 1 updated 1", 0},
		{"serves", 0, nil, []string{"1 new ready"}, "desired 1 current 1 misscheduled 0 ready 1 available 1 unavailable 0 updated 1", 0},
		{"serves for a minute of two", 120, nil, []string{"1 new ready"}, "desired 1 current 1 misscheduled 0 ready 1 available 0 unavailable 1 updated 1", time.Minute},
		{"serves for a minute of one", 60, nil, []string{"1 new ready"}, "desired 1 current 1 misscheduled 0 ready 1 available 1 unavailable 0 updated 1", 0},
		{"of an earlier template", 0, nil, []string{"1 old ready"}, "desired 1 current 1 misscheduled 0 ready 1 available 1 unavailable 0 updated 0", 0},
		{"the oldest of two", 0, nil, []string{"1 new", "5 old ready"}, "desired 1 current 1 misscheduled 0 ready 1 available 1 unavailable 0 updated 0", 0},
		{"where it should not be", 0, keepsAway, []string{"1 new ready"}, "desired 0 current 0 misscheduled 1 ready 0 available 0 unavailable 0 updated 0", 0},
		{"nowhere", 0, keepsAway, nil, "desired 0 current 0 misscheduled 0 ready 0 available 0 unavailable 0 updated 0", 0},
	} {
		d := agent(1)
		d.Generation, d.Spec.MinReadySeconds = 4, c.seconds
		d.Status = appsv1.DaemonSetStatus{DesiredNumberScheduled: 7, CurrentNumberScheduled: 7, NumberMisscheduled: 7, NumberReady: 7, NumberAvailable: 7, UpdatedNumberScheduled: 7}
		in := workload.Input{Now: workloadtest.Noon, Node: theBoard(c.taints...), Revisions: []*appsv1.ControllerRevision{rev(d, "agent", "new", 1)}}
		for _, p := range c.pods {
			in.Pods = append(in.Pods, podOf(d, p))
		}
		res := Compute(d, in)
		got := res.Object.(*appsv1.DaemonSet).Status
		if counts(got) != c.want || got.ObservedGeneration != 4 {
			t.Errorf("%s: %s, generation %d, want %s", c.name, counts(got), got.ObservedGeneration, c.want)
		}
		if c.wake == 0 && !res.Wake.IsZero() || c.wake > 0 && !res.Wake.Equal(workloadtest.Noon.Add(c.wake)) {
			t.Errorf("%s: wakes at %v", c.name, res.Wake)
		}
	}
}

// A pod of earlier versions is new by the number of its template, where the DaemonSet has one.
func TestTemplateGeneration(t *testing.T) {
	d := agent(0)
	d.Annotations = map[string]string{appsv1.DeprecatedTemplateGeneration: "3"}
	p := podOf(d, "1 old ready")
	p.Labels["pod-template-generation"] = "3"
	in := workload.Input{Now: workloadtest.Noon, Node: theBoard(), Pods: []*corev1.Pod{p}, Revisions: []*appsv1.ControllerRevision{rev(d, "agent", "new", 1)}}
	if res := Compute(d, in); len(res.Delete) > 0 {
		t.Error("a pod with the number of the template is replaced")
	}
	p.Labels["pod-template-generation"] = "2"
	if res := Compute(d, in); len(res.Delete) != 1 {
		t.Error("a pod with another number is not replaced")
	}
	in.Pods = nil
	if res := Compute(d, in); res.Create[0].Labels["pod-template-generation"] != "3" || res.Create[0].Labels[appsv1.DefaultDaemonSetUniqueLabelKey] != "new" {
		t.Errorf("a new pod has %v", res.Create[0].Labels)
	}
}

// What becomes of the revisions that are there.
func TestRevisions(t *testing.T) {
	plain := agent(0)
	other := rev(plain, "agent", "taken", 1)
	for _, c := range []struct {
		name  string
		there func(*appsv1.DaemonSet) []*appsv1.ControllerRevision
		want  string // those written: number and hash; "*": one that is made
	}{
		{"none", func(*appsv1.DaemonSet) []*appsv1.ControllerRevision { return nil }, "1 *"},
		{"the present one", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(d, "before", "a", 1), rev(d, "agent", "b", 2)}
		}, ""},
		{"an earlier one again", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(d, "before", "a", 5), rev(d, "agent", "b", 2)}
		}, "6 agent-b"},
		{"a new one", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(d, "before", "a", 7)}
		}, "8 *"},
		{"two of the present template: the latest", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			return []*appsv1.ControllerRevision{rev(d, "agent", "a", 1), rev(d, "agent", "b", 3), rev(d, "agent", "c", 2)}
		}, ""},
		{"one that nobody owns", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			r := rev(d, "agent", "a", 1)
			r.OwnerReferences = nil
			return []*appsv1.ControllerRevision{r}
		}, "1 agent-a"},
		{"one without its hash", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			r := rev(d, "agent", "a", 1)
			delete(r.Labels, appsv1.DefaultDaemonSetUniqueLabelKey)
			return []*appsv1.ControllerRevision{r}
		}, "1 agent-a"},
		{"one that nobody owns, of an earlier number", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			r := rev(d, "agent", "a", 1)
			r.OwnerReferences = nil
			return []*appsv1.ControllerRevision{r, rev(d, "before", "b", 4)}
		}, "5 agent-a"},
		{"somebody else's", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			r := rev(d, "agent", "a", 1)
			r.OwnerReferences[0].UID = "other"
			return []*appsv1.ControllerRevision{r}
		}, "1 *"},
		{"the name is taken", func(d *appsv1.DaemonSet) []*appsv1.ControllerRevision {
			other.Name, other.OwnerReferences[0].UID = d.Name+"-"+workload.TemplateHash(&d.Spec.Template, nil), "other"
			return []*appsv1.ControllerRevision{other}
		}, "1 *"},
	} {
		d := agent(0)
		in := workload.Input{Now: workloadtest.Noon, Node: theBoard(), Revisions: c.there(d)}
		before := in.Revisions
		var copies []*appsv1.ControllerRevision
		for _, r := range before {
			copies = append(copies, r.DeepCopy())
		}
		res := Compute(d, in)
		if got := workloadtest.Written(t, d, before, &res); got != c.want {
			t.Errorf("%s: writes %s, want %s", c.name, got, c.want)
		}
		for _, w := range res.Write {
			if r := w.(*appsv1.ControllerRevision); r.Name != "agent-"+r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] && c.name != "one without its hash" {
				t.Errorf("%s: %s of hash %v", c.name, r.Name, r.Labels)
			}
		}
		for i, r := range before {
			if r.Revision != copies[i].Revision || !maps.Equal(r.Labels, copies[i].Labels) || len(r.OwnerReferences) != len(copies[i].OwnerReferences) {
				t.Errorf("%s: wrote into its input", c.name)
			}
		}
		if c.name == "the name is taken" {
			if n := res.Object.(*appsv1.DaemonSet).Status.CollisionCount; n == nil || *n != 1 {
				t.Errorf("collisions %v", n)
			}
		}
	}
}

// The oldest revisions beyond the limit go, but for those that pods are of.
func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit *int32
		pods  []string // hashes
		want  string
	}{
		{"two are kept", new(int32(2)), nil, "a b"},
		{"none is kept", new(int32(0)), nil, "a b c d"},
		{"below none is none", new(int32(-1)), nil, "a b c d"},
		{"one is in use", new(int32(2)), []string{"a"}, "b c"},
		{"all are in use", new(int32(0)), []string{"a", "b", "c", "d"}, ""},
		{"nobody says: ten", nil, nil, ""},
	} {
		d := agent(0)
		d.Spec.RevisionHistoryLimit = c.limit
		s := &step{d: d}
		for i, hash := range []string{"a", "b", "c", "d"} {
			s.revisions = append(s.revisions, rev(d, hash, hash, int64(i)))
		}
		for _, hash := range c.pods {
			p := podOf(d, "1")
			p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = hash
			s.all = append(s.all, p)
		}
		s.truncate()
		if got := strings.ReplaceAll(workloadtest.List(s.res.Remove), "agent-", ""); got != c.want {
			t.Errorf("%s: removes %s, want %s", c.name, got, c.want)
		}
	}
}

package job

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// podOf is a pod of the Job that is not counted yet. An index below 0 is none.
func podOf(j *batchv1.Job, name string, ix int, phase corev1.PodPhase) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: j.Namespace, UID: types.UID("uid-" + name), Finalizers: []string{Finalizer},
			Labels: j.Spec.Template.Labels, Annotations: map[string]string{}, CreationTimestamp: metav1.NewTime(workloadtest.Noon.Add(-time.Hour)),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(j, kind)},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
	if ix >= 0 {
		p.Annotations[batchv1.JobCompletionIndexAnnotation] = fmt.Sprint(ix)
	}
	return p
}

// exited notes that containers of a pod have ended: name and exit code.
func exited(p *corev1.Pod, name string, code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
}

// indexed makes each index fail on its own after limit tries more.
func indexed(limit int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) {
		s.CompletionMode, s.BackoffLimitPerIndex, s.BackoffLimit = new(batchv1.IndexedCompletion), &limit, nil
	}
}

// The first rule that matches decides; a pod that none matches counts. Only containers that have ended otherwise than by
// 0 are asked for their code, the app's before the init containers.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
func TestFailurePolicy(t *testing.T) {
	exit := func(a batchv1.PodFailurePolicyAction, op batchv1.PodFailurePolicyOnExitCodesOperator, of string, codes ...int32) batchv1.PodFailurePolicyRule {
		r := &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: op, Values: codes}
		if of != "" {
			r.ContainerName = &of
		}
		return batchv1.PodFailurePolicyRule{Action: a, OnExitCodes: r}
	}
	disrupted := func(a batchv1.PodFailurePolicyAction) batchv1.PodFailurePolicyRule {
		return batchv1.PodFailurePolicyRule{Action: a, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: "ConfigIssue", Status: corev1.ConditionTrue}, {Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
		}}
	}
	const in, notIn = batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn
	const failJob, failIndex = batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionFailIndex
	const ignore, count = batchv1.PodFailurePolicyActionIgnore, batchv1.PodFailurePolicyActionCount
	said := "Container main for pod default/p failed with exit code 42 matching FailJob rule at index "
	for _, c := range []struct {
		name      string
		rules     []batchv1.PodFailurePolicyRule
		main      int32
		init      int32
		condition corev1.ConditionStatus
		want      match
	}{
		{"no rules", nil, 1, 0, "", match{counts: true}},
		{"none matches", []batchv1.PodFailurePolicyRule{exit(failJob, in, "", 42)}, 1, 0, "", match{counts: true}},
		{"a code", []batchv1.PodFailurePolicyRule{exit(failJob, in, "", 7, 42)}, 42, 0, "", match{counts: true, message: said + "0"}},
		{"a code that is none of them", []batchv1.PodFailurePolicyRule{exit(failJob, notIn, "", 7)}, 42, 0, "", match{counts: true, message: said + "0"}},
		{"a code that is one of them", []batchv1.PodFailurePolicyRule{exit(failJob, notIn, "", 42)}, 42, 0, "", match{counts: true}},
		{"the second rule", []batchv1.PodFailurePolicyRule{exit(ignore, in, "", 1), exit(failJob, in, "", 42)}, 42, 0, "", match{counts: true, message: said + "1"}},
		{"the first of two", []batchv1.PodFailurePolicyRule{exit(ignore, in, "", 42), exit(failJob, in, "", 42)}, 42, 0, "", match{}},
		{"0 is no failure", []batchv1.PodFailurePolicyRule{exit(failJob, notIn, "", 7)}, 0, 0, "", match{counts: true}},
		{"of that container", []batchv1.PodFailurePolicyRule{exit(failJob, in, "main", 42)}, 42, 0, "", match{counts: true, message: said + "0"}},
		{"of another container", []batchv1.PodFailurePolicyRule{exit(failJob, in, "side", 42)}, 42, 0, "", match{counts: true}},
		{
			"of an init container",
			[]batchv1.PodFailurePolicyRule{exit(failJob, in, "", 3)},
			42, 3, "",
			match{counts: true, message: "Container init for pod default/p failed with exit code 3 matching FailJob rule at index 0"},
		},
		{"of both, the app's", []batchv1.PodFailurePolicyRule{exit(failJob, in, "", 3, 42)}, 42, 3, "", match{counts: true, message: said + "0"}},
		{"another operator", []batchv1.PodFailurePolicyRule{exit(failJob, "Between", "", 42)}, 42, 0, "", match{counts: true}},
		{"the index", []batchv1.PodFailurePolicyRule{exit(failIndex, in, "", 42)}, 42, 0, "", match{counts: true, index: true}},
		{"counts", []batchv1.PodFailurePolicyRule{exit(count, in, "", 42), exit(failJob, in, "", 42)}, 42, 0, "", match{counts: true}},
		{"an action of later", []batchv1.PodFailurePolicyRule{exit("Retry", in, "", 42), exit(ignore, in, "", 42)}, 42, 0, "", match{}},
		{"a condition", []batchv1.PodFailurePolicyRule{disrupted(ignore)}, 42, 0, corev1.ConditionTrue, match{}},
		{"a condition of another status", []batchv1.PodFailurePolicyRule{disrupted(ignore)}, 42, 0, corev1.ConditionFalse, match{counts: true}},
		{
			"a condition fails the Job",
			[]batchv1.PodFailurePolicyRule{disrupted(failJob)},
			42, 0, corev1.ConditionTrue,
			match{counts: true, message: "Pod default/p has condition DisruptionTarget matching FailJob rule at index 0"},
		},
	} {
		j := newJob(1, 1, func(s *batchv1.JobSpec) { s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: c.rules} })
		p := podOf(j, "p", -1, corev1.PodFailed)
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "running"}, exited(p, "main", c.main)}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{exited(p, "init", c.init)}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: c.condition}}
		if got := (&step{j: j}).match(p); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := (&step{j: newJob(1, 1, nil)}).match(&corev1.Pod{}); got != (match{counts: true}) {
		t.Errorf("no policy: %+v", got)
	}
}

// A failure that a rule ignores is counted nowhere: the Job goes on though its limit is 0.
func TestIgnoredFailure(t *testing.T) {
	for action, failed := range map[batchv1.PodFailurePolicyAction]bool{batchv1.PodFailurePolicyActionIgnore: false, batchv1.PodFailurePolicyActionCount: true} {
		b := workloadtest.New(t, 1)
		b.Compute = lookAt
		b.Put(newJob(1, 1, func(s *batchv1.JobSpec) {
			s.BackoffLimit = new(int32)
			s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{42}},
			}}}
		}))
		b.Settle()
		b.Finish(b.Pods[0].UID, 42)
		for range 3 {
			b.Settle()
			b.Wake()
		}
		st := status(b)
		if got := finished(b.Get("job").(*batchv1.Job)) != nil; got != failed || (st.Failed > 0) != failed {
			t.Errorf("%s: ends %v, failed %d", action, got, st.Failed)
		}
		if more := len(b.Pods) == 2; more == failed {
			t.Errorf("%s: %d pods", action, len(b.Pods))
		}
	}
}

// https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy
func TestSuccessPolicy(t *testing.T) {
	for _, c := range []struct {
		name    string
		indexes string // "-": none
		count   int32  // 0: none
		done    string
		want    bool
	}{
		{"all of some", "0,2-3", 0, "0,2-4", true},
		{"one of them misses", "0,2-3", 0, "0,2,4", false},
		{"so many of some", "0-4", 2, "1,4", true},
		{"so many, but others", "0-4", 2, "1,5-9", false},
		{"more of them", "0-4", 2, "0-9", true},
		{"so many of all", "-", 3, "1,5,9", true},
		{"fewer", "-", 3, "1,5", false},
		{"nothing asked for", "-", 0, "0-9", false},
		{"no number", "x", 1, "0-9", false},
		{"beyond the Job", "20-30", 1, "0-9", false},
	} {
		rule := &batchv1.SuccessPolicyRule{}
		if c.indexes != "-" {
			rule.SucceededIndexes = &c.indexes
		}
		if c.count > 0 {
			rule.SucceededCount = &c.count
		}
		if got := satisfies(rule, parse(c.done, 10), 10); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// The first rule that is satisfied ends the Job, and the pods that are still at work with it.
func TestSuccessPolicyEndsTheOthers(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	b.Put(newJob(4, 4, func(s *batchv1.JobSpec) {
		s.CompletionMode = new(batchv1.IndexedCompletion)
		s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededIndexes: new("3")}, {SucceededIndexes: new("0-1"), SucceededCount: new(int32(1))}}}
	}))
	b.Settle()
	b.Finish(b.Pods[2].UID, 0)
	b.Settle()
	if len(status(b).Conditions) != 0 {
		t.Fatalf("index 2 is in no rule: %+v", status(b).Conditions)
	}
	b.Finish(b.Pods[1].UID, 0)
	b.Settle()
	c := status(b).Conditions
	if len(c) != 1 || c[0].Type != batchv1.JobSuccessCriteriaMet || c[0].Reason != batchv1.JobReasonSuccessPolicy || c[0].Message != "Matched rules at index 1" {
		t.Fatalf("%+v", c)
	}
	for _, p := range b.Owned("job") {
		if ended := p.DeletionTimestamp != nil; ended == workload.Terminal(p) {
			t.Errorf("pod %s, %s, is to end: %v", p.Name, p.Status.Phase, ended)
		}
		b.Collect(p.UID)
	}
	b.Settle()
	st := status(b)
	if end := finished(b.Get("job").(*batchv1.Job)); end == nil || end.Type != batchv1.JobComplete || end.Reason != batchv1.JobReasonSuccessPolicy {
		t.Fatalf("%+v", st)
	}
	if st.Succeeded != 2 || st.CompletedIndexes != "1,2" || st.CompletionTime == nil || st.Active != 0 {
		t.Errorf("%+v", st)
	}
}

// An index fails when it has failed backoffLimitPerIndex times more than once; the Job goes on with the others until too
// many have failed, or all are done one way or the other.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
func TestIndexesFail(t *testing.T) {
	for _, c := range []struct {
		name   string
		most   *int32
		fails  []int // indexes, of 0-2
		lost   string
		reason string // why the Job fails; "": it completes
	}{
		{"none", nil, nil, "", ""},
		{"one", nil, []int{1}, "1", batchv1.JobReasonFailedIndexes},
		{"all", nil, []int{0, 1, 2}, "0-2", batchv1.JobReasonFailedIndexes},
		{"as many as may", new(int32(1)), []int{1}, "1", batchv1.JobReasonFailedIndexes},
		{"one more than may", new(int32(0)), []int{1}, "1", batchv1.JobReasonMaxFailedIndexesExceeded},
	} {
		b := workloadtest.New(t, 1)
		b.Compute = lookAt
		j := newJob(3, 3, indexed(1))
		j.Spec.MaxFailedIndexes = c.most
		b.Put(j)
		tries := map[int]int{}
		for range 10 {
			b.Settle()
			for _, p := range b.Owned("job") {
				switch ix := index(p); {
				case workload.Terminal(p):
				case p.DeletionTimestamp != nil:
					b.Collect(p.UID)
				default:
					code := int32(0)
					if slices.Contains(c.fails, ix) {
						code = 1
					}
					if got := p.Annotations[batchv1.JobIndexFailureCountAnnotation]; got != fmt.Sprint(tries[ix]) {
						t.Errorf("%s: a pod of index %d after %d failures says %s", c.name, ix, tries[ix], got)
					}
					tries[ix]++
					b.Finish(p.UID, code)
				}
			}
			b.Wake()
		}
		end, st := finished(b.Get("job").(*batchv1.Job)), status(b)
		switch {
		case end == nil:
			t.Errorf("%s: does not end: %+v", c.name, st)
			continue
		case c.reason == "" && end.Type != batchv1.JobComplete, c.reason != "" && (end.Type != batchv1.JobFailed || end.Reason != c.reason):
			t.Errorf("%s: ends with %s %s", c.name, end.Type, end.Reason)
		}
		if st.FailedIndexes == nil || *st.FailedIndexes != c.lost {
			t.Errorf("%s: failed indexes %v, want %s", c.name, st.FailedIndexes, c.lost)
		}
		for _, ix := range c.fails {
			if tries[ix] != 2 {
				t.Errorf("%s: index %d was tried %d times, want one and one more", c.name, ix, tries[ix])
			}
		}
	}
}

// Of several failed pods of an index the last is held back until its replacement is there: it has failed most often and,
// of these, ended last.
func TestHold(t *testing.T) {
	j := newJob(5, 5, indexed(9))
	failed := func(name string, ix int, failures string, minutes int) *corev1.Pod {
		p := podOf(j, name, ix, corev1.PodFailed)
		p.Annotations[batchv1.JobIndexFailureCountAnnotation] = failures
		p.CreationTimestamp = metav1.NewTime(workloadtest.Noon.Add(time.Duration(minutes) * time.Minute))
		return p
	}
	counted := failed("counted", 4, "1", 1)
	counted.Finalizers = nil
	s := &step{j: j, in: &workload.Input{Now: workloadtest.Noon}, done: parse("2", 5), lost: parse("3", 5), pods: []*corev1.Pod{
		failed("first", 0, "0", 1), failed("second", 0, "1", 2), failed("late", 0, "0", 9),
		failed("running", 1, "0", 1), failed("done", 2, "0", 1), failed("lost", 3, "0", 1), counted, failed("beyond", 7, "0", 1),
	}}
	s.active = []*corev1.Pod{podOf(j, "again", 1, corev1.PodRunning)}
	s.hold()
	if len(s.held) != 1 || s.held[0] == nil || s.held[0].Name != "second" {
		var names []string
		for ix, p := range s.held {
			names = append(names, fmt.Sprintf("%d:%s", ix, p.Name))
		}
		t.Errorf("holds %s", strings.Join(names, " "))
	}
}

// What a Job may not do: nothing changes one that has ended, or that is somebody else's.
func TestEndedJobStays(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*batchv1.Job)
		frees  bool
	}{
		{"complete", func(j *batchv1.Job) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		}, true},
		{"failed", func(j *batchv1.Job) {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
		}, true},
		{"somebody else's", func(j *batchv1.Job) { j.Spec.ManagedBy = new("example.com/queue") }, false},
	} {
		j := newJob(3, 3, nil)
		c.change(j)
		pods := []*corev1.Pod{podOf(j, "a", -1, corev1.PodRunning), podOf(j, "b", -1, corev1.PodSucceeded), podOf(j, "c", -1, corev1.PodFailed)}
		for _, edit := range []func(*batchv1.JobSpec){
			func(*batchv1.JobSpec) {}, func(s *batchv1.JobSpec) { *s.Parallelism = 9 }, func(s *batchv1.JobSpec) { s.Suspend = new(true) },
			func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(1)) }, func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32) },
		} {
			edit(&j.Spec)
			res := Compute(j, workload.Input{Now: workloadtest.Noon, Pods: pods, Sequence: 5})
			if res.Object != nil || len(res.Create)+len(res.Delete)+len(res.Remove)+len(res.Events) > 0 || res.Sequence != 5 {
				t.Errorf("%s: %+v", c.name, res)
			}
			if c.frees && len(res.Update) != 3 || !c.frees && len(res.Update) != 0 {
				t.Errorf("%s: writes %d pods", c.name, len(res.Update))
			}
		}
	}
	j := newJob(1, 1, nil)
	j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionFalse}}
	if finished(j) != nil {
		t.Error("a condition that is false ends a Job")
	}
	j.Spec.ManagedBy = new(batchv1.JobControllerName)
	if res := Compute(j, workload.Input{Now: workloadtest.Noon}); len(res.Create) != 1 {
		t.Errorf("a Job that names this controller: %d pods", len(res.Create))
	}
}

// A time to live begins with the end, and a Job that is being removed, or of which the time of its end is not known, is
// not removed for it.
func TestTimeToLiveEdges(t *testing.T) {
	for _, c := range []struct {
		name   string
		ttl    *int32
		ago    time.Duration
		going  bool
		remove bool
		wake   time.Duration
	}{
		{"nobody says", nil, time.Hour, false, false, 0},
		{"at once", new(int32(0)), 0, false, true, 0},
		{"to the second", new(int32(60)), time.Minute, false, true, 0},
		{"not yet", new(int32(60)), 59 * time.Second, false, false, time.Second},
		{"goes already", new(int32(0)), time.Hour, true, false, 0},
	} {
		j := newJob(1, 1, func(s *batchv1.JobSpec) { s.TTLSecondsAfterFinished = c.ttl })
		j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(workloadtest.Noon.Add(-c.ago))}}
		if c.going {
			j.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
		}
		res := Compute(j, workload.Input{Now: workloadtest.Noon})
		if got := len(res.Remove) == 1; got != c.remove || c.wake == 0 && !res.Wake.IsZero() || c.wake > 0 && !res.Wake.Equal(workloadtest.Noon.Add(c.wake)) {
			t.Errorf("%s: removes %v, wakes at %v", c.name, got, res.Wake)
		}
		j.Status.Conditions[0].LastTransitionTime = metav1.Time{}
		if res := Compute(j, workload.Input{Now: workloadtest.Noon}); len(res.Remove) > 0 || !res.Wake.IsZero() {
			t.Errorf("%s: the end is not known: %+v", c.name, res)
		}
	}
}

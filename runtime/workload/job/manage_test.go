package job

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// Lists of indexes behave as sets of numbers do, and their text is read back as what it was made of.
func TestIntervalsAreSets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const most = 40
	random := func() (intervals, map[int]bool) {
		set := map[int]bool{}
		var list []int
		for range r.IntN(most) {
			n := r.IntN(most)
			set[n] = true
			list = append(list, n)
		}
		return intervals(nil).with(list), set
	}
	for range 500 {
		a, inA := random()
		b, inB := random()
		both, common := a.and(b), 0
		for i := range most {
			if a.has(i) != inA[i] || both.has(i) != (inA[i] || inB[i]) {
				t.Fatalf("%s and %s: %d", a, b, i)
			}
			if inA[i] && inB[i] {
				common++
			}
		}
		if a.total() != len(inA) || a.overlap(b) != common || b.overlap(a) != common {
			t.Fatalf("%s has %d, with %s in common %d, want %d", a, a.total(), b, a.overlap(b), common)
		}
		if again := parse(a.String(), most); !slices.Equal(again, a) {
			t.Fatalf("%s is read as %s", a, again)
		}
		for i := 1; i < len(a); i++ {
			if a[i].first <= a[i-1].last+1 {
				t.Fatalf("%s: %v touches the one before", a, a[i])
			}
		}
	}
}

// Whoever may write a pod's annotations says at worst that there is no number.
func TestIndexOfPod(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "7": 7, "": noIndex, "-1": noIndex, "x": noIndex, "1.5": noIndex, "99999999999999999999": noIndex} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{batchv1.JobCompletionIndexAnnotation: text}}}
		if got := index(p); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
		j := newJob(7, 1, indexed(1))
		if got := (&step{j: j}).hasIndex(p); got != (want == 0) {
			t.Errorf("%q is one of 7: %v", text, got)
		}
	}
	for text, want := range map[string]int32{"3": 3, "2147483647": 2147483647, "2147483648": 0, "-3": 0, "many": 0} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{batchv1.JobIndexFailureCountAnnotation: text}}}
		if got := failures(p); got != want {
			t.Errorf("%q failures: %d, want %d", text, got, want)
		}
	}
}

// Indexes are worked on from the lowest up. With podReplacementPolicy Failed one whose pod still ends has to wait.
func TestPending(t *testing.T) {
	j := newJob(8, 8, indexed(1))
	ending := podOf(j, "ending", 4, corev1.PodRunning)
	ending.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
	s := &step{
		j: j, done: parse("0,6", 8), lost: parse("2", 8), pods: []*corev1.Pod{ending},
		active: []*corev1.Pod{podOf(j, "a", 1, corev1.PodRunning), podOf(j, "none", -1, corev1.PodRunning)},
	}
	for _, c := range []struct {
		n      int
		policy batchv1.PodReplacementPolicy
		want   []int
	}{
		{0, "", nil},
		{2, "", []int{3, 4}},
		{9, "", []int{3, 4, 5, 7}},
		{9, batchv1.Failed, []int{3, 5, 7}},
		{9, batchv1.TerminatingOrFailed, []int{3, 4, 5, 7}},
	} {
		j.Spec.PodReplacementPolicy = &c.policy
		if got := s.pending(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d with %q: %v, want %v", c.n, c.policy, got, c.want)
		}
	}
}

// Of two pods of an index the one that is further stays. Pods without one of the Job's indexes have no place.
func TestSurplus(t *testing.T) {
	j := newJob(2, 2, indexed(1))
	serves := podOf(j, "serves", 0, corev1.PodRunning)
	serves.Spec.NodeName = "board"
	s := &step{j: j, active: []*corev1.Pod{
		podOf(j, "waits", 0, corev1.PodPending), serves, podOf(j, "beyond", 2, corev1.PodRunning), podOf(j, "none", -1, corev1.PodRunning), podOf(j, "one", 1, corev1.PodPending),
	}}
	surplus, rest := s.surplus()
	if got := names(surplus); got != "beyond none waits" {
		t.Errorf("surplus: %s", got)
	}
	if got := names(rest); got != "one serves" {
		t.Errorf("the rest: %s", got)
	}
}

func names(pods []*corev1.Pod) string {
	var list []string
	for _, p := range pods {
		list = append(list, p.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// How many pods there are to be: no more than parallelism and than are missing; with none counted out (a work queue), no
// new ones after the first success.
func TestHowMany(t *testing.T) {
	for _, c := range []struct {
		name                     string
		completions, parallelism int32 // completions below 0: nobody says
		succeeded, active        int32
		change                   func(*batchv1.JobSpec)
		made, ended              int
	}{
		{"the first", 5, 2, 0, 0, nil, 2, 0},
		{"the last", 5, 3, 4, 0, nil, 1, 0},
		{"some are there", 5, 3, 0, 2, nil, 1, 0},
		{"less at a time", 5, 1, 0, 3, nil, 0, 2},
		{"less is missing than runs", 5, 3, 4, 3, nil, 0, 2},
		{"a work queue", -1, 3, 0, 1, nil, 2, 0},
		{"a work queue after a success", -1, 3, 1, 1, nil, 0, 0},
		{"none at a time", 5, 0, 0, 2, nil, 0, 2},
		{"nobody says how many at a time", 5, 0, 0, 0, func(s *batchv1.JobSpec) { s.Parallelism = nil }, 1, 0},
		{"suspended", 5, 3, 0, 2, func(s *batchv1.JobSpec) { s.Suspend = new(true) }, 0, 2},
		{"so many that a step has an end", 2000, 2000, 0, 0, nil, 500, 0},
		{"and of those that end", 2000, 0, 0, 700, nil, 0, 500},
	} {
		j := newJob(c.completions, c.parallelism, func(s *batchv1.JobSpec) {
			if c.completions < 0 {
				s.Completions = nil
			}
			if c.change != nil {
				c.change(s)
			}
		})
		j.Status.Succeeded, j.Status.StartTime = c.succeeded, new(metav1.NewTime(workloadtest.Noon))
		in := workload.Input{Now: workloadtest.Noon}
		for i := range c.active {
			in.Pods = append(in.Pods, podOf(j, fmt.Sprint("p", i), -1, corev1.PodRunning))
		}
		res := Compute(j, in)
		if len(res.Create) != c.made || len(res.Delete) != c.ended {
			t.Errorf("%s: makes %d, ends %d, want %d, %d", c.name, len(res.Create), len(res.Delete), c.made, c.ended)
		}
		if want := c.active + int32(c.made-c.ended); res.Object.(*batchv1.Job).Status.Active != want {
			t.Errorf("%s: %d active, want %d", c.name, res.Object.(*batchv1.Job).Status.Active, want)
		}
		// What is ended because there are too many has not failed: nothing holds it.
		if len(res.Update) != c.ended {
			t.Errorf("%s: frees %d pods", c.name, len(res.Update))
		}
		in.CreateError = "no room"
		if res := Compute(j, in); len(res.Create) > 0 {
			t.Errorf("%s: makes pods though they cannot be made", c.name)
		}
	}
}

// A pod of an index knows it by its name, its host name, a label, an annotation and a variable that nobody has set.
func TestPodOfIndex(t *testing.T) {
	j := newJob(3, 3, func(s *batchv1.JobSpec) {
		s.CompletionMode = new(batchv1.IndexedCompletion)
		s.Template.Spec.InitContainers = []corev1.Container{{Name: "init"}}
		s.Template.Spec.Containers = append(s.Template.Spec.Containers, corev1.Container{Name: "side", Env: []corev1.EnvVar{{Name: indexVariable, Value: "mine"}}})
	})
	res := Compute(j, workload.Input{Now: workloadtest.Noon})
	if len(res.Create) != 3 {
		t.Fatalf("%d pods", len(res.Create))
	}
	p := res.Create[2]
	if !strings.HasPrefix(p.Name, "pi-2-") || len(p.Name) != 10 || p.Spec.Hostname != "pi-2" || p.Labels[batchv1.JobCompletionIndexAnnotation] != "2" ||
		p.Annotations[batchv1.JobCompletionIndexAnnotation] != "2" || !tracked(p) {
		t.Errorf("%+v", p)
	}
	if _, counts := p.Annotations[batchv1.JobIndexFailureCountAnnotation]; counts {
		t.Error("counts failures of an index though the Job does not")
	}
	for _, c := range []corev1.Container{p.Spec.InitContainers[0], p.Spec.Containers[0]} {
		if len(c.Env) != 1 || c.Env[0].Name != "JOB_COMPLETION_INDEX" || c.Env[0].ValueFrom.FieldRef.FieldPath != "metadata.labels['batch.kubernetes.io/job-completion-index']" {
			t.Errorf("container %s: %+v", c.Name, c.Env)
		}
	}
	if e := p.Spec.Containers[1].Env; len(e) != 1 || e[0].Value != "mine" {
		t.Errorf("overwrites %+v", e)
	}
	if len(j.Spec.Template.Spec.Containers[0].Env)+len(j.Spec.Template.Annotations)+len(j.Spec.Template.Finalizers) > 0 {
		t.Error("wrote into the template")
	}
	long := strings.Repeat("a", 60)
	if got := indexedPrefix(long, "12345"); len(got) != 58 || !strings.HasSuffix(got, "a-12345-") {
		t.Errorf("a long name: %q", got)
	}
}

// A failed index passes on how often it failed, and how often a rule ignored that.
func TestAnnotateFailures(t *testing.T) {
	ignore := &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
	}}}
	for _, c := range []struct {
		name, counted, ignored string
		disrupted              bool
		want, wantIgnored      string
	}{
		{"the first failure", "", "", false, "1", ""},
		{"the third", "2", "", false, "3", ""},
		{"one that is ignored", "2", "", true, "2", "1"},
		{"after one that was ignored", "2", "4", false, "3", "4"},
		{"what is no number", "many", "-3", false, "1", ""},
	} {
		j := newJob(1, 1, indexed(9))
		j.Spec.PodFailurePolicy = ignore
		p := podOf(j, "p", 0, corev1.PodFailed)
		p.Annotations[batchv1.JobIndexFailureCountAnnotation], p.Annotations[batchv1.JobIndexIgnoredFailureCountAnnotation] = c.counted, c.ignored
		if c.disrupted {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
		}
		want := map[string]string{batchv1.JobIndexFailureCountAnnotation: c.want}
		if c.wantIgnored != "" {
			want[batchv1.JobIndexIgnoredFailureCountAnnotation] = c.wantIgnored
		}
		got := map[string]string{}
		(&step{j: j}).annotateFailures(got, p)
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// 10 s after the first failure, twice as long after each that follows, ten minutes at most.
func TestBackoffDoubles(t *testing.T) {
	for n, want := range map[int32]time.Duration{1: 10, 2: 20, 3: 40, 6: 320, 7: 600, 8: 600, 1 << 30: 600} {
		if got := backoff(n); got != want*time.Second {
			t.Errorf("after %d failures: %v, want %v", n, got, want*time.Second)
		}
	}
}

// A back-off is of the failures since the last success, and counts from the last of them.
func TestBackoffEnd(t *testing.T) {
	j := newJob(9, 9, nil)
	at := func(minute int, phase corev1.PodPhase, change func(*corev1.Pod)) *corev1.Pod {
		p := podOf(j, fmt.Sprint(phase, minute), -1, phase)
		p.CreationTimestamp = metav1.NewTime(workloadtest.Noon.Add(time.Duration(minute) * time.Minute))
		if change != nil {
			change(p)
		}
		return p
	}
	free := func(p *corev1.Pod) { p.Finalizers = nil }
	for _, c := range []struct {
		name string
		pods []*corev1.Pod
		want time.Duration // after noon; 0: no back-off
	}{
		{"none has failed", []*corev1.Pod{at(1, corev1.PodRunning, nil), at(2, corev1.PodSucceeded, nil)}, 0},
		{"one", []*corev1.Pod{at(1, corev1.PodFailed, nil)}, time.Minute + 10*time.Second},
		{"three", []*corev1.Pod{at(3, corev1.PodFailed, nil), at(1, corev1.PodFailed, nil), at(2, corev1.PodFailed, nil)}, 3*time.Minute + 40*time.Second},
		{"those before a success do not count", []*corev1.Pod{at(1, corev1.PodFailed, nil), at(2, corev1.PodSucceeded, nil), at(3, corev1.PodFailed, nil)}, 3*time.Minute + 10*time.Second},
		{"a success after the last", []*corev1.Pod{at(1, corev1.PodFailed, nil), at(2, corev1.PodSucceeded, nil)}, 0},
		{"counted already", []*corev1.Pod{at(1, corev1.PodFailed, free)}, time.Minute + 10*time.Second},
		{"taken away as surplus", []*corev1.Pod{at(1, corev1.PodFailed, func(p *corev1.Pod) {
			free(p)
			p.DeletionTimestamp = new(metav1.NewTime(workloadtest.Noon))
		})}, 0},
	} {
		got := (&step{j: j, in: &workload.Input{Now: workloadtest.Noon}, pods: c.pods}).backoffEnd()
		if c.want == 0 && !got.IsZero() || c.want != 0 && !got.Equal(workloadtest.Noon.Add(c.want)) {
			t.Errorf("%s: %v, want %v after noon", c.name, got, c.want)
		}
	}
}

// When a pod ended: by its containers if all have, or else the best that is known of it.
func TestFinishedAt(t *testing.T) {
	ended := func(name string, minute int) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(workloadtest.Noon.Add(time.Duration(minute) * time.Minute))}}}
	}
	always := corev1.ContainerRestartPolicyAlways
	sidecar := func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "init"}, {Name: "proxy", RestartPolicy: &always}}
	}
	unready := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(workloadtest.Noon.Add(30 * time.Minute))}}
	}
	deleted := func(p *corev1.Pod) {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = new(metav1.NewTime(workloadtest.Noon.Add(20*time.Minute))), new(int64(60))
	}
	for _, c := range []struct {
		name   string
		change []func(*corev1.Pod)
		want   int // minutes after noon
	}{
		{"the last container", []func(*corev1.Pod){unready, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 5), ended("b", 3)}
		}}, 5},
		{"a sidecar ends after them", []func(*corev1.Pod){sidecar, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 5)}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{ended("init", 9), ended("proxy", 7)}
		}}, 7},
		{"a sidecar runs", []func(*corev1.Pod){sidecar, unready, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 5)}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "proxy"}}
		}}, 30},
		{"a container runs", []func(*corev1.Pod){unready, deleted, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 5), {Name: "b"}}
		}}, 30},
		{"an end without a time", []func(*corev1.Pod){unready, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{exited(p, "a", 1)}
		}}, 30},
		{"when its end was asked for", []func(*corev1.Pod){deleted}, 19},
		{"without a grace", []func(*corev1.Pod){deleted, func(p *corev1.Pod) { p.DeletionGracePeriodSeconds = nil }}, 20},
		{"nothing is known", nil, -60},
	} {
		p := podOf(newJob(1, 1, nil), "p", -1, corev1.PodFailed)
		for _, change := range c.change {
			change(p)
		}
		if got := finishedAt(p); !got.Equal(workloadtest.Noon.Add(time.Duration(c.want) * time.Minute)) {
			t.Errorf("%s: %v, want %d min after noon", c.name, got, c.want)
		}
	}
}

// A Job that is suspended ends its pods without counting them; its deadline counts from when it goes on.
func TestSuspend(t *testing.T) {
	b := workloadtest.New(t, 1)
	b.Compute = lookAt
	edit := func(suspend bool) {
		j := b.Get("job").(*batchv1.Job).DeepCopy()
		j.Spec.Suspend = &suspend
		b.Put(j)
		b.Settle()
	}
	b.Put(newJob(2, 2, func(s *batchv1.JobSpec) { s.Suspend, s.ActiveDeadlineSeconds = new(true), new(int64(60)) }))
	b.Settle()
	if st := status(b); len(b.Pods) != 0 || st.StartTime != nil || b.Wake() {
		t.Fatalf("%d pods, %+v", len(b.Pods), st)
	}
	edit(false)
	if st := status(b); len(b.Pods) != 2 || st.StartTime == nil || st.Conditions[0].Status != corev1.ConditionFalse || st.Conditions[0].Reason != "JobResumed" {
		t.Fatalf("%d pods, %+v", len(b.Pods), st)
	}
	b.Now = b.Now.Add(50 * time.Second)
	edit(true)
	if st := status(b); st.Active != 0 || st.StartTime != nil || st.Conditions[0].Reason != "JobSuspended" {
		t.Errorf("%+v", st)
	}
	for _, p := range b.Owned("job") {
		if p.DeletionTimestamp == nil || tracked(p) {
			t.Errorf("pod %s of a suspended Job: %+v", p.Name, p.ObjectMeta)
		}
		b.Collect(p.UID)
	}
	b.Now = b.Now.Add(time.Hour)
	edit(false)
	at := b.Now
	if st := status(b); st.Failed != 0 || st.Active != 2 {
		t.Errorf("%+v", st)
	}
	if !b.Wake() || b.Now.Sub(at) != time.Minute {
		t.Errorf("the deadline is %v after it goes on", b.Now.Sub(at))
	}
	want := []string{"pi Normal Suspended: Job suspended", "pi Normal Resumed: Job resumed", "pi Normal Suspended: Job suspended", "pi Normal Resumed: Job resumed"}
	got := slices.DeleteFunc(slices.Clone(b.Events), func(e string) bool { return !strings.Contains(e, "Job ") })
	if !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
}

// A pod that is adopted carries the finalizer from then on; one that is released loses it with its owner.
func TestClaim(t *testing.T) {
	j := newJob(2, 2, nil)
	orphan, released := podOf(j, "orphan", -1, corev1.PodRunning), podOf(j, "released", -1, corev1.PodRunning)
	orphan.OwnerReferences, orphan.Finalizers = nil, []string{"example.com/mine"}
	released.Labels, released.Finalizers = nil, []string{"example.com/mine", Finalizer}
	s := &step{j: j, in: &workload.Input{Now: workloadtest.Noon, Pods: []*corev1.Pod{orphan, released}}}
	s.claim()
	if names(s.pods) != "orphan" || names(s.res.Update) != "orphan released" {
		t.Fatalf("has %s, writes %s", names(s.pods), names(s.res.Update))
	}
	if a := s.res.Update[0]; !slices.Equal(a.Finalizers, []string{"example.com/mine", Finalizer}) || !workload.IsControlledBy(a, j.UID) {
		t.Errorf("adopted: %+v", a.ObjectMeta)
	}
	if r := s.res.Update[1]; !slices.Equal(r.Finalizers, []string{"example.com/mine"}) || len(r.OwnerReferences) != 0 {
		t.Errorf("released: %+v", r.ObjectMeta)
	}
	if len(orphan.Finalizers) != 1 || len(released.Finalizers) != 2 {
		t.Error("wrote into its input")
	}
}

// The API server's labels, and what a user has written instead.
func TestGenerateSelector(t *testing.T) {
	j := newJob(1, 1, nil)
	want := map[string]string{"job-name": "pi", "batch.kubernetes.io/job-name": "pi", "controller-uid": "job", "batch.kubernetes.io/controller-uid": "job"}
	if !maps.Equal(j.Spec.Template.Labels, want) || !maps.Equal(j.Spec.Selector.MatchLabels, map[string]string{"batch.kubernetes.io/controller-uid": "job"}) {
		t.Errorf("labels %v, selector %v", j.Spec.Template.Labels, j.Spec.Selector)
	}
	before := j.DeepCopy()
	if GenerateSelector(j); !maps.Equal(j.Spec.Template.Labels, before.Spec.Template.Labels) || !maps.Equal(j.Spec.Selector.MatchLabels, before.Spec.Selector.MatchLabels) {
		t.Error("a second time changes it")
	}
	own := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "pi", UID: "job"}, Spec: batchv1.JobSpec{ManualSelector: new(true)}}
	if GenerateSelector(own); own.Spec.Selector != nil || own.Spec.Template.Labels != nil {
		t.Errorf("writes into one with a selector of its own: %+v", own.Spec)
	}
	s := &step{j: &batchv1.Job{}}
	if got := s.backoffLimit(); got != 6 {
		t.Errorf("nobody says a limit: %d", got)
	}
	s.j.Spec.BackoffLimitPerIndex = new(int32(1))
	if got := s.backoffLimit(); got != 2147483647 {
		t.Errorf("nobody says one and indexes fail on their own: %d", got)
	}
}

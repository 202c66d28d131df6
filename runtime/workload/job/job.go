// Package job runs the pods of a Job until enough of them have succeeded or too many have failed.
//
// Each pod is counted once, whatever dies in between. A pod carries a finalizer until it is counted, and counting takes
// two steps: first the status names the pod as ended but not counted, then, and only when that is kept, the finalizer
// goes; a pod that is named and has no finalizer any more is added to the number, and its name is taken away.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
//
// The back-off after failures is read from the pods that have failed, which are there as long as the Job is. Of one that
// was removed by hand nothing is left: its replacement is made at once, where kube-controller-manager, as long as it
// is not started again, waits for ten seconds.
package job

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/workload"
)

var kind = batchv1.SchemeGroupVersion.WithKind("Job")

// Finalizer is what a pod carries until it is counted. When a Job is removed it has to be taken from its pods.
const Finalizer = batchv1.JobTrackingFinalizer

// Bounds of one step.
const (
	mostUncounted = 500 // pods that are named in the status
	mostPods      = 500 // pods that are made or ended
)

// step is one look at a Job.
type step struct {
	j      *batchv1.Job // a copy, with what has changed so far
	in     *workload.Input
	res    workload.Result
	namer  *workload.Namer
	pods   []*corev1.Pod
	active []*corev1.Pod

	succeeded, failed  int32 // with those that are not counted yet
	ready, terminating int32

	before    intervals // indexes that had succeeded at the last look
	done      intervals // and those that have by now
	lost      intervals // indexes that have failed for good
	perIndex  bool      // indexes fail on their own
	held      map[int]*corev1.Pod
	condition *batchv1.JobCondition // how the Job ends
}

// Compute is one step of a Job. A Job whose managedBy names somebody else is left alone.
func Compute(j *batchv1.Job, in workload.Input) workload.Result {
	if m := j.Spec.ManagedBy; m != nil && *m != batchv1.JobControllerName {
		return workload.Result{Sequence: in.Sequence}
	}
	mine := *j
	mine.Status = *j.Status.DeepCopy()
	s := &step{j: &mine, in: &in, namer: workload.NewNamer(j.UID, &in)}
	s.claim()
	if end := finished(j); end != nil {
		s.tidy(end)
	} else {
		s.sync()
	}
	s.res.Sequence = s.namer.Sequence()
	if !equality.Semantic.DeepEqual(mine.Status, j.Status) {
		s.res.Object = &mine
	}
	return s.res
}

// finished is the condition by which a Job has ended; nil: it has not.
func finished(j *batchv1.Job) *batchv1.JobCondition {
	for i := range j.Status.Conditions {
		c := &j.Status.Conditions[i]
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// claim finds the pods that are the Job's. One that is adopted gets the finalizer, one that is released loses it.
func (s *step) claim() {
	ref := s.ref()
	owned, changed := workload.ClaimPods(s.j, ref, workload.Selector(s.j.Spec.Selector), s.in.Pods, nil)
	for _, p := range changed { // copies
		if slices.Contains(owned, p) {
			if !tracked(p) {
				p.Finalizers = append(slices.Clone(p.Finalizers), Finalizer)
			}
		} else {
			p.Finalizers = without(p.Finalizers)
		}
		s.update(p)
	}
	s.pods = owned
}

func tracked(p *corev1.Pod) bool { return slices.Contains(p.Finalizers, Finalizer) }

func without(finalizers []string) []string {
	return slices.DeleteFunc(slices.Clone(finalizers), func(f string) bool { return f == Finalizer })
}

// update notes that the metadata of a pod is written, as it is last.
func (s *step) update(p *corev1.Pod) {
	for i, q := range s.res.Update {
		if q.UID == p.UID {
			s.res.Update[i] = p
			return
		}
	}
	s.res.Update = append(s.res.Update, p)
}

// free takes the finalizer from a pod.
func (s *step) free(p *corev1.Pod) {
	if !tracked(p) {
		return
	}
	c := *p
	c.Finalizers = without(p.Finalizers)
	s.update(&c)
}

// tidy is what is left to do for a Job that has ended: its time to live.
func (s *step) tidy(end *batchv1.JobCondition) {
	for _, p := range s.pods {
		s.free(p)
	}
	ttl := s.j.Spec.TTLSecondsAfterFinished
	if ttl == nil || s.j.DeletionTimestamp != nil || end.LastTransitionTime.IsZero() {
		return
	}
	at := end.LastTransitionTime.Add(time.Duration(*ttl) * time.Second)
	if at.After(s.in.Now) {
		s.res.WakeAt(at)
		return
	}
	s.res.Remove = append(s.res.Remove, s.j)
}

func (s *step) sync() {
	st := &s.j.Status
	if st.UncountedTerminatedPods == nil {
		st.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	for _, p := range s.pods {
		switch {
		case workload.Active(p):
			s.active = append(s.active, p)
			if workload.Ready(p) {
				s.ready++
			}
		case workload.Terminating(p):
			s.terminating++
		}
	}
	s.countFinished()
	if st.StartTime == nil && !s.suspended() {
		s.start()
	}
	s.judgeFailures()
	if s.indexed() {
		s.judgeIndexes()
	}
	active := int32(len(s.active))
	if s.condition != nil {
		for _, p := range s.active {
			s.end(p)
		}
		active = 0
	} else {
		if s.j.DeletionTimestamp == nil {
			active = s.manage()
		}
		s.judgeCompletion(active)
	}
	st.Active, st.Ready, st.Terminating = active, &s.ready, &s.terminating
	s.track()
}

func (s *step) start() {
	now := s.in.Time()
	s.j.Status.StartTime = &now
}

// end lets an active pod end.
func (s *step) end(p *corev1.Pod) {
	s.res.Delete = append(s.res.Delete, p)
	s.res.Normal("SuccessfulDelete", "Deleted pod: "+p.Name)
	s.terminating++
	if workload.Ready(p) {
		s.ready--
	}
}

// countFinished adds the pods that have ended and are not counted yet to the numbers of the status.
func (s *step) countFinished() {
	st := &s.j.Status
	un := st.UncountedTerminatedPods
	s.succeeded = st.Succeeded + int32(len(un.Succeeded))
	s.failed = st.Failed + int32(len(un.Failed))
	for _, p := range s.pods {
		if !s.valid(p) {
			continue
		}
		if p.Status.Phase == corev1.PodSucceeded && !slices.Contains(un.Succeeded, p.UID) {
			s.succeeded++
		}
		if s.isFailed(p) && !slices.Contains(un.Failed, p.UID) && s.match(p).counts {
			s.failed++
		}
	}
}

// valid says whether a pod is still to be counted: it has the finalizer and, of an indexed Job, an index of it.
func (s *step) valid(p *corev1.Pod) bool {
	return tracked(p) && (!s.indexed() || s.hasIndex(p))
}

// isFailed says whether a pod counts as a failure. One that is to end does too, unless replacements wait for its end.
func (s *step) isFailed(p *corev1.Pod) bool {
	if p.Status.Phase == corev1.PodFailed {
		return true
	}
	return !s.waitsForEnd() && p.DeletionTimestamp != nil && p.Status.Phase != corev1.PodSucceeded
}

// waitsForEnd says whether a pod is replaced only when it has ended.
func (s *step) waitsForEnd() bool {
	p := s.j.Spec.PodReplacementPolicy
	return p != nil && *p == batchv1.Failed
}

func (s *step) suspended() bool { return s.j.Spec.Suspend != nil && *s.j.Spec.Suspend }

func (s *step) indexed() bool {
	m := s.j.Spec.CompletionMode
	return m != nil && *m == batchv1.IndexedCompletion && s.j.Spec.Completions != nil
}

func (s *step) parallelism() int32 {
	if s.j.Spec.Parallelism == nil {
		return 1
	}
	return *s.j.Spec.Parallelism
}

// backoffLimit is the API server's where nobody says one: six, or none where indexes fail on their own.
func (s *step) backoffLimit() int32 {
	switch {
	case s.j.Spec.BackoffLimit != nil:
		return *s.j.Spec.BackoffLimit
	case s.j.Spec.BackoffLimitPerIndex != nil:
		return 1<<31 - 1
	}
	return 6
}

// GenerateSelector gives a Job the selector and its template the labels that the API server adds, unless manualSelector
// says that they are there. The Job has its name and UID.
func GenerateSelector(j *batchv1.Job) {
	if j.Spec.ManualSelector != nil && *j.Spec.ManualSelector {
		return
	}
	add := func(to *map[string]string, key, value string) {
		if *to == nil {
			*to = map[string]string{}
		}
		if _, there := (*to)[key]; !there {
			(*to)[key] = value
		}
	}
	labels := &j.Spec.Template.Labels
	add(labels, batchv1.JobNameLabel, j.Name)
	add(labels, "job-name", j.Name)
	add(labels, batchv1.ControllerUidLabel, string(j.UID))
	add(labels, "controller-uid", string(j.UID))
	if j.Spec.Selector == nil {
		j.Spec.Selector = &metav1.LabelSelector{}
	}
	add(&j.Spec.Selector.MatchLabels, batchv1.ControllerUidLabel, string(j.UID))
}

// gone are the UIDs of a list whose pods have no finalizer any more: those that may be added to the number.
func gone(list []types.UID, holding map[types.UID]bool) (left []types.UID, n int32) {
	for _, uid := range list {
		if holding[uid] {
			left = append(left, uid)
		} else {
			n++
		}
	}
	return left, n
}

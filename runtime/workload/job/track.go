package job

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *step) ref() metav1.OwnerReference { return *metav1.NewControllerRef(s.j, kind) }

// track counts the pods that have ended. Those that were named before and have lost their finalizer are added to the
// numbers; those that have it still are named, and lose it once that is kept.
func (s *step) track() {
	st := &s.j.Status
	un := st.UncountedTerminatedPods
	holding := map[types.UID]bool{}
	for _, p := range s.pods {
		if tracked(p) {
			holding[p.UID] = true
		}
	}
	var n int32
	un.Succeeded, n = gone(un.Succeeded, holding)
	st.Succeeded += n
	un.Failed, n = gone(un.Failed, holding)
	st.Failed += n

	pods := slices.Clone(s.pods)
	if s.indexed() {
		slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return index(a) - index(b) })
	}
	failing := s.condition != nil && s.condition.Type != batchv1.JobSuccessCriteriaMet
	full := false
	completed := 0
	for _, p := range pods {
		if !tracked(p) {
			continue
		}
		failed := s.isFailed(p)
		if !s.countable(p, failed) {
			continue
		}
		s.free(p)
		known := slices.Contains(un.Failed, p.UID)
		switch {
		case p.Status.Phase == corev1.PodSucceeded && !known:
			if s.indexed() {
				// Its index says whether it was counted.
				if s.hasIndex(p) && !s.before.has(index(p)) {
					s.done = s.done.with([]int{index(p)})
					completed++
				}
			} else if !slices.Contains(un.Succeeded, p.UID) {
				un.Succeeded = append(un.Succeeded, p.UID)
			}
		case failed || failing:
			// When the Job has failed, whatever has not ended by itself counts as failed.
			if !known && (!s.indexed() || s.hasIndex(p)) && s.match(p).counts {
				un.Failed = append(un.Failed, p.UID)
			}
		}
		if completed+len(un.Succeeded)+len(un.Failed) >= mostUncounted {
			full = true
			break
		}
	}
	if s.indexed() {
		st.Succeeded, st.CompletedIndexes = int32(s.done.total()), s.done.String()
		st.FailedIndexes = nil
		if s.perIndex {
			text := s.lost.String()
			st.FailedIndexes = &text
		}
	}
	if s.condition != nil {
		s.finish(full)
	}
}

// countable says whether nothing needs the pod uncounted any more.
func (s *step) countable(p *corev1.Pod, failed bool) bool {
	if s.j.DeletionTimestamp != nil || s.condition != nil || p.Status.Phase == corev1.PodSucceeded {
		return true
	}
	if !failed {
		return false
	}
	held := s.held[index(p)]
	return held == nil || held.UID != p.UID
}

// finish says first what the Job is about to come to, and that it has when all of its pods have ended and are counted.
func (s *step) finish(full bool) {
	st := &s.j.Status
	c := *s.condition
	switch c.Type {
	case batchv1.JobFailureTarget:
		st.Conditions = append(st.Conditions, c)
		c = *s.newCondition(batchv1.JobFailed, c.Reason, c.Message)
	case batchv1.JobSuccessCriteriaMet:
		if s.is(batchv1.JobSuccessCriteriaMet) == nil {
			st.Conditions = append(st.Conditions, c)
		}
		c = *s.newCondition(batchv1.JobComplete, c.Reason, c.Message)
	}
	un := st.UncountedTerminatedPods
	if full || len(un.Succeeded)+len(un.Failed) > 0 || s.terminating > 0 {
		return
	}
	s.ensure(c.Type, c.Status, c.Reason, c.Message)
	if c.Type != batchv1.JobComplete {
		s.res.Warning(c.Reason, c.Message)
		return
	}
	now := s.in.Time()
	st.CompletionTime = &now
	if want := s.j.Spec.Completions; want != nil && st.Succeeded > *want {
		s.res.Warning("TooManySucceededPods", "Too many succeeded pods running after completion count reached")
	}
	s.res.Normal("Completed", "Job completed")
}

package job

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func (s *step) newCondition(typ batchv1.JobConditionType, reason, message string) *batchv1.JobCondition {
	return &batchv1.JobCondition{
		Type: typ, Status: corev1.ConditionTrue, LastProbeTime: s.in.Time(), LastTransitionTime: s.in.Time(),
		Reason: reason, Message: message,
	}
}

func find(list []batchv1.JobCondition, typ batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range list {
		if list[i].Type == typ {
			return &list[i]
		}
	}
	return nil
}

// is is a condition that is true; nil: there is none.
func (s *step) is(typ batchv1.JobConditionType) *batchv1.JobCondition {
	if c := find(s.j.Status.Conditions, typ); c != nil && c.Status == corev1.ConditionTrue {
		return c
	}
	return nil
}

// ensure sets a condition, and says whether it was another. One that would be false is not added.
func (s *step) ensure(typ batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string) bool {
	list := &s.j.Status.Conditions
	c := s.newCondition(typ, reason, message)
	c.Status = status
	old := find(*list, typ)
	switch {
	case old == nil && status == corev1.ConditionFalse:
		return false
	case old == nil:
		*list = append(*list, *c)
		return true
	case old.Status == status && old.Reason == reason && old.Message == message:
		return false
	}
	*old = *c
	return true
}

func (s *step) fail(reason, message string) {
	s.condition = s.newCondition(batchv1.JobFailureTarget, reason, message)
}

// judgeFailures decides how the Job ends. What was decided at an earlier look stands; then come the policy for failures,
// the back-off limit and the deadline.
func (s *step) judgeFailures() {
	if c := s.is(batchv1.JobSuccessCriteriaMet); c != nil {
		s.condition = c.DeepCopy()
		return
	}
	if c := s.is(batchv1.JobFailureTarget); c != nil {
		s.condition = s.newCondition(batchv1.JobFailed, c.Reason, c.Message)
		return
	}
	for _, p := range s.pods {
		if s.j.Spec.PodFailurePolicy == nil {
			break
		}
		if s.isFailed(p) {
			if m := s.match(p); m.message != "" {
				s.fail(batchv1.JobReasonPodFailurePolicy, m.message)
				return
			}
		}
	}
	deadline := s.j.Spec.ActiveDeadlineSeconds
	switch {
	case s.failed > s.backoffLimit() || s.restartsTooOften():
		s.fail(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	case deadline == nil || s.suspended() || s.j.Status.StartTime == nil:
	default:
		at := s.j.Status.StartTime.Add(time.Duration(*deadline) * time.Second)
		if !at.After(s.in.Now) {
			s.fail(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
			return
		}
		s.res.WakeAt(at)
	}
}

// restartsTooOften is about pods whose containers are started again in place.
func (s *step) restartsTooOften() bool {
	if s.j.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	n := int32(0)
	for _, p := range s.pods {
		if p.Status.Phase != corev1.PodRunning && p.Status.Phase != corev1.PodPending {
			continue
		}
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for i := range list {
				n += list[i].RestartCount
			}
		}
	}
	if limit := s.backoffLimit(); limit > 0 {
		return n >= limit
	}
	return n > 0
}

// judgeCompletion is about a Job that goes on, or has all that it wants.
func (s *step) judgeCompletion(active int32) {
	want := s.j.Spec.Completions
	if active == 0 && (want == nil && s.succeeded > 0 || want != nil && s.succeeded >= *want) {
		s.condition = s.newCondition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached,
			"Reached expected number of succeeded pods")
		return
	}
	if s.j.DeletionTimestamp != nil {
		return
	}
	if s.suspended() {
		if s.ensure(batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended") {
			s.res.Normal("Suspended", "Job suspended")
			s.j.Status.StartTime = nil
		}
		return
	}
	if s.ensure(batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed") {
		s.res.Normal("Resumed", "Job resumed")
		// The deadline is about time in which the Job works.
		s.start()
	}
}

// match is what the policy for failures says of a failed pod.
type match struct {
	message string // why the whole Job fails; empty: it does not
	counts  bool   // towards the limits
	index   bool   // the index fails for good
}

func (s *step) match(p *corev1.Pod) match {
	if s.j.Spec.PodFailurePolicy == nil {
		return match{counts: true}
	}
	for i := range s.j.Spec.PodFailurePolicy.Rules {
		rule := &s.j.Spec.PodFailurePolicy.Rules[i]
		why := ""
		switch {
		case rule.OnExitCodes != nil:
			if c := failedContainer(p, rule.OnExitCodes); c != nil {
				why = fmt.Sprintf("Container %s for pod %s/%s failed with exit code %d matching %s rule at index %d",
					c.Name, p.Namespace, p.Name, c.State.Terminated.ExitCode, rule.Action, i)
			}
		case rule.OnPodConditions != nil:
			if typ, ok := matchingCondition(p, rule.OnPodConditions); ok {
				why = fmt.Sprintf("Pod %s/%s has condition %s matching %s rule at index %d", p.Namespace, p.Name, typ, rule.Action, i)
			}
		}
		if why == "" {
			continue
		}
		switch rule.Action {
		case batchv1.PodFailurePolicyActionIgnore:
			return match{}
		case batchv1.PodFailurePolicyActionFailIndex:
			return match{counts: true, index: true}
		case batchv1.PodFailurePolicyActionCount:
			return match{counts: true}
		case batchv1.PodFailurePolicyActionFailJob:
			return match{counts: true, message: why}
		}
	}
	return match{counts: true}
}

func failedContainer(p *corev1.Pod, rule *batchv1.PodFailurePolicyOnExitCodesRequirement) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses} {
		for i := range list {
			c := &list[i]
			if c.State.Terminated == nil || c.State.Terminated.ExitCode == 0 || rule.ContainerName != nil && *rule.ContainerName != c.Name {
				continue
			}
			in := slices.Contains(rule.Values, c.State.Terminated.ExitCode)
			if rule.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && in || rule.Operator == batchv1.PodFailurePolicyOnExitCodesOpNotIn && !in {
				return c
			}
		}
	}
	return nil
}

func matchingCondition(p *corev1.Pod, patterns []batchv1.PodFailurePolicyOnPodConditionsPattern) (corev1.PodConditionType, bool) {
	for i := range p.Status.Conditions {
		c := &p.Status.Conditions[i]
		if slices.ContainsFunc(patterns, func(w batchv1.PodFailurePolicyOnPodConditionsPattern) bool {
			return w.Type == c.Type && w.Status == c.Status
		}) {
			return c.Type, true
		}
	}
	return "", false
}

// judgeIndexes brings the lists of indexes up to date, and ends a Job whose indexes have failed, or enough of them
// succeeded.
func (s *step) judgeIndexes() {
	most := int(*s.j.Spec.Completions)
	s.before = parse(s.j.Status.CompletedIndexes, most)
	var succeeded, failed []int
	for _, p := range s.pods {
		if s.valid(p) && p.Status.Phase == corev1.PodSucceeded {
			succeeded = append(succeeded, index(p))
		}
	}
	s.done = s.before.with(succeeded)
	s.succeeded = int32(s.done.total())
	if limit := s.j.Spec.BackoffLimitPerIndex; limit != nil {
		s.perIndex = true
		if s.j.Status.FailedIndexes != nil {
			s.lost = parse(*s.j.Status.FailedIndexes, most)
		}
		for _, p := range s.pods {
			if !s.valid(p) || !s.isFailed(p) {
				continue
			}
			if m := s.match(p); m.index || m.counts && annotated(p, batchv1.JobIndexFailureCountAnnotation) >= *limit {
				failed = append(failed, index(p))
			}
		}
		s.lost = s.lost.with(failed)
		if s.condition == nil {
			n := s.lost.total()
			switch {
			case s.j.Spec.MaxFailedIndexes != nil && n > int(*s.j.Spec.MaxFailedIndexes):
				s.fail(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
			case n > 0 && n+s.done.total() >= most:
				s.fail(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
			}
		}
		s.hold()
	}
	if s.condition == nil && s.j.Spec.SuccessPolicy != nil && len(s.done) > 0 {
		for i := range s.j.Spec.SuccessPolicy.Rules {
			if satisfies(&s.j.Spec.SuccessPolicy.Rules[i], s.done, most) {
				s.condition = s.newCondition(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonSuccessPolicy,
					"Matched rules at index "+strconv.Itoa(i))
				return
			}
		}
	}
}

func satisfies(rule *batchv1.SuccessPolicyRule, done intervals, most int) bool {
	if rule.SucceededIndexes == nil {
		return rule.SucceededCount != nil && done.total() >= int(*rule.SucceededCount)
	}
	want := parse(*rule.SucceededIndexes, most)
	if len(want) == 0 {
		return false
	}
	n := want.overlap(done)
	return n == want.total() || rule.SucceededCount != nil && n >= int(*rule.SucceededCount)
}

// hold finds the last failed pod of each index that is to be tried again. It is not counted before its replacement is
// there, which takes the number of failures over from it.
func (s *step) hold() {
	running := map[int]bool{}
	for _, p := range s.active {
		running[index(p)] = true
	}
	s.held = map[int]*corev1.Pod{}
	for _, p := range s.pods {
		ix := index(p)
		if !s.valid(p) || !s.isFailed(p) || s.done.has(ix) || s.lost.has(ix) || running[ix] {
			continue
		}
		last, ok := s.held[ix]
		if !ok || failures(last) <= failures(p) && !finishedAt(p).Before(finishedAt(last)) {
			s.held[ix] = p
		}
	}
}

package job

import (
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/workload"
)

// A pod that has failed is replaced after a while that doubles with each failure in a row.
const (
	firstBackoff = 10 * time.Second
	mostBackoff  = 10 * time.Minute
)

// manage ends pods of which there are too many, or else makes those that are missing. It answers how many are active
// after that.
func (s *step) manage() int32 {
	active := int32(len(s.active))
	if s.suspended() {
		for _, p := range s.removable(len(s.active)) {
			s.free(p)
			s.end(p)
			active--
		}
		return active
	}
	want := s.parallelism()
	switch {
	case s.j.Spec.Completions != nil:
		want = max(min(*s.j.Spec.Completions-s.succeeded, want), 0)
	case s.succeeded > 0:
		want = active
	}
	victims := s.removable(int(max(active-want, 0)))
	for _, p := range victims[:min(len(victims), mostPods)] {
		s.free(p)
		s.end(p)
		active--
	}
	if len(victims) > 0 {
		return active
	}
	missing := want - active
	if s.waitsForEnd() {
		missing -= s.terminating
	}
	if missing <= 0 || s.in.CreateError != "" {
		return active
	}
	return active + s.create(int(min(missing, mostPods)))
}

// removable are pods to end: those that have no place, and as many more as make n.
func (s *step) removable(n int) []*corev1.Pod {
	var list []*corev1.Pod
	rest := slices.Clone(s.active)
	if s.indexed() {
		list, rest = s.surplus()
	}
	if more := n - len(list); more > 0 {
		slices.SortStableFunc(rest, workload.ByActivity)
		list = append(list, rest[:more]...)
	}
	return list
}

// create makes at most n pods, as far as back-offs allow.
func (s *step) create(n int) int32 {
	if !s.perIndex {
		if at := s.backoffEnd(); at.After(s.in.Now) {
			s.res.WakeAt(at)
			return 0
		}
	}
	if !s.indexed() {
		for range n {
			s.createPod(noIndex)
		}
		return int32(n)
	}
	made := int32(0)
	var next time.Time
	for _, ix := range s.pending(n) {
		if last := s.held[ix]; last != nil {
			if at := finishedAt(last).Add(backoff(failures(last) + 1)); at.After(s.in.Now) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
				continue
			}
		}
		s.createPod(ix)
		made++
	}
	s.res.WakeAt(next)
	return made
}

// createPod makes one pod, of an index if the Job has them.
func (s *step) createPod(ix int) {
	t := *s.j.Spec.Template.DeepCopy()
	if !slices.Contains(t.Finalizers, Finalizer) {
		t.Finalizers = append(t.Finalizers, Finalizer)
	}
	prefix := s.j.Name + "-"
	if ix != noIndex {
		number := strconv.Itoa(ix)
		t.Annotations, t.Labels = maps.Clone(t.Annotations), maps.Clone(t.Labels)
		if t.Annotations == nil {
			t.Annotations = map[string]string{}
		}
		if t.Labels == nil {
			t.Labels = map[string]string{}
		}
		t.Annotations[batchv1.JobCompletionIndexAnnotation] = number
		t.Labels[batchv1.JobCompletionIndexAnnotation] = number
		t.Spec.Hostname = s.j.Name + "-" + number
		prefix = indexedPrefix(s.j.Name, number)
		for _, list := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
			for i := range list {
				tellIndex(&list[i])
			}
		}
		if s.perIndex {
			s.annotateFailures(t.Annotations, s.held[ix])
		}
	}
	p := workload.NewPod(s.j, s.ref(), &t, s.in)
	p.GenerateName = prefix
	p.Name, p.UID = s.namer.Generate(prefix)
	s.res.Create = append(s.res.Create, p)
	s.res.Normal("SuccessfulCreate", "Created pod: "+p.Name)
}

// indexedPrefix keeps the index whole if the name is cut.
func indexedPrefix(name, index string) string {
	end := "-" + index + "-"
	if most := workload.MaxGeneratedName; len(name)+len(end) > most {
		name = name[:most-len(end)]
	}
	return name + end
}

const indexVariable = "JOB_COMPLETION_INDEX"

func tellIndex(c *corev1.Container) {
	if slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == indexVariable }) {
		return
	}
	c.Env = append(c.Env, corev1.EnvVar{
		Name: indexVariable,
		ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['" + batchv1.JobCompletionIndexAnnotation + "']"},
		},
	})
}

// annotateFailures passes on how often the index has failed.
func (s *step) annotateFailures(to map[string]string, replaced *corev1.Pod) {
	counted, ignored := int32(0), int32(0)
	if replaced != nil {
		counted = annotated(replaced, batchv1.JobIndexFailureCountAnnotation)
		ignored = annotated(replaced, batchv1.JobIndexIgnoredFailureCountAnnotation)
		if s.match(replaced).counts {
			counted++
		} else {
			ignored++
		}
	}
	to[batchv1.JobIndexFailureCountAnnotation] = strconv.Itoa(int(counted))
	if ignored > 0 {
		to[batchv1.JobIndexIgnoredFailureCountAnnotation] = strconv.Itoa(int(ignored))
	}
}

// backoffEnd is when the next pod may be made, by the pods that have failed since the last that succeeded. They are
// there as long as the Job is; kube-controller-manager has their number in its memory instead.
func (s *step) backoffEnd() time.Time {
	var success, last time.Time
	for _, p := range s.pods {
		if at := finishedAt(p); p.Status.Phase == corev1.PodSucceeded && at.After(success) {
			success = at
		}
	}
	n := int32(0)
	for _, p := range s.pods {
		// A pod that was taken away because there were too many has no finalizer, and has not failed.
		failed := s.valid(p) && s.isFailed(p) || !tracked(p) && p.Status.Phase == corev1.PodFailed && p.DeletionTimestamp == nil
		if at := finishedAt(p); failed && at.After(success) {
			n++
			if at.After(last) {
				last = at
			}
		}
	}
	if n == 0 {
		return time.Time{}
	}
	return last.Add(backoff(n))
}

func backoff(failures int32) time.Duration {
	d := firstBackoff
	for i := int32(1); i < failures && d < mostBackoff; i++ {
		d *= 2
	}
	return min(d, mostBackoff)
}

// finishedAt is when the last container of a pod ended, or the best that is known of that.
func finishedAt(p *corev1.Pod) time.Time {
	if at := lastEnd(p); !at.IsZero() {
		return at
	}
	if c := workload.PodCondition(p, corev1.PodReady); c != nil && c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	if p.DeletionTimestamp != nil {
		grace := int64(0)
		if p.DeletionGracePeriodSeconds != nil {
			grace = *p.DeletionGracePeriodSeconds
		}
		return p.DeletionTimestamp.Add(-time.Duration(grace) * time.Second)
	}
	return p.CreationTimestamp.Time
}

// lastEnd is zero unless all containers, sidecars included, have ended.
func lastEnd(p *corev1.Pod) (last time.Time) {
	look := func(c *corev1.ContainerStatus) bool {
		if c.State.Terminated == nil || c.State.Terminated.FinishedAt.IsZero() {
			return false
		}
		if at := c.State.Terminated.FinishedAt.Time; at.After(last) {
			last = at
		}
		return true
	}
	for i := range p.Status.ContainerStatuses {
		if !look(&p.Status.ContainerStatuses[i]) {
			return time.Time{}
		}
	}
	for i := range p.Status.InitContainerStatuses {
		c := &p.Status.InitContainerStatuses[i]
		sidecar := slices.ContainsFunc(p.Spec.InitContainers, func(i corev1.Container) bool {
			return i.Name == c.Name && i.RestartPolicy != nil && *i.RestartPolicy == corev1.ContainerRestartPolicyAlways
		})
		if sidecar && !look(c) {
			return time.Time{}
		}
	}
	return last
}

// Package cronjob makes Jobs by the clock.
package cronjob

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/timezone"
	"podd/runtime/manifest/schedule"
	"podd/runtime/workload"
)

var kind = batchv1.SchemeGroupVersion.WithKind("CronJob")

// step is one look at a CronJob.
type step struct {
	c     *batchv1.CronJob // a copy, whose status is written
	in    *workload.Input
	res   workload.Result
	namer *workload.Namer
	jobs  []*batchv1.Job // its own that stay
}

// Compute is one step of a CronJob. It wants the Jobs of its namespace.
func Compute(c *batchv1.CronJob, in workload.Input) workload.Result {
	s := &step{c: c.DeepCopy(), in: &in, namer: workload.NewNamer(c.UID, &in)}
	for _, j := range in.Jobs {
		if workload.IsControlledBy(j, c.UID) {
			s.jobs = append(s.jobs, j)
		}
	}
	s.tidy(c.Spec.SuccessfulJobsHistoryLimit, batchv1.JobComplete)
	s.tidy(c.Spec.FailedJobsHistoryLimit, batchv1.JobFailed)
	s.follow()
	if c.DeletionTimestamp == nil {
		s.fire()
	}
	s.res.Sequence = s.namer.Sequence()
	if !equality.Semantic.DeepEqual(s.c.Status, c.Status) {
		s.res.Object = s.c
	}
	return s.res
}

// finished is how a Job has ended; "": it has not.
func finished(j *batchv1.Job) batchv1.JobConditionType {
	for _, c := range j.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c.Type
		}
	}
	return ""
}

// tidy removes the oldest Jobs that ended in this way, but for the last ones.
func (s *step) tidy(limit *int32, as batchv1.JobConditionType) {
	if limit == nil {
		return
	}
	var list []*batchv1.Job
	for _, j := range s.jobs {
		if finished(j) == as {
			list = append(list, j)
		}
	}
	slices.SortStableFunc(list, func(a, b *batchv1.Job) int {
		x, y := a.Status.StartTime, b.Status.StartTime
		switch {
		case x == nil && y != nil:
			return 1
		case x != nil && y == nil:
			return -1
		case x != nil && !x.Equal(y):
			return x.Compare(y.Time)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	for _, j := range list[:max(len(list)-int(max(*limit, 0)), 0)] {
		s.remove(j)
	}
}

func (s *step) remove(j *batchv1.Job) {
	s.res.Remove = append(s.res.Remove, j)
	s.forget(j.UID)
	s.jobs = slices.DeleteFunc(slices.Clone(s.jobs), func(o *batchv1.Job) bool { return o == j })
	s.res.Normal("SuccessfulDelete", "Deleted job "+j.Name)
}

func (s *step) active(uid types.UID) bool {
	return slices.ContainsFunc(s.c.Status.Active, func(r corev1.ObjectReference) bool { return r.UID == uid })
}

func (s *step) forget(uid types.UID) {
	var left []corev1.ObjectReference
	for _, r := range s.c.Status.Active {
		if r.UID != uid {
			left = append(left, r)
		}
	}
	s.c.Status.Active = left
}

// follow takes in which Jobs have ended or gone.
func (s *step) follow() {
	there := map[types.UID]bool{}
	for _, j := range s.jobs {
		there[j.UID] = true
		as := finished(j)
		if as != "" && s.active(j.UID) {
			s.forget(j.UID)
			s.res.Normal("SawCompletedJob", fmt.Sprintf("Saw completed job: %s, condition: %s", j.Name, as))
		}
		if at := j.Status.CompletionTime; as == batchv1.JobComplete && at != nil {
			if last := s.c.Status.LastSuccessfulTime; last == nil || at.After(last.Time) {
				s.c.Status.LastSuccessfulTime = at
			}
		}
	}
	for _, r := range s.c.Status.Active {
		if !there[r.UID] {
			s.res.Normal("MissingJob", "Active job went missing: "+r.Name)
			s.forget(r.UID)
		}
	}
}

// fire makes a Job if one is due, and says when the next is.
func (s *step) fire() {
	spec := &s.c.Spec
	if s.in.ClockUnset || spec.Suspend != nil && *spec.Suspend {
		return
	}
	zone := ""
	if spec.TimeZone != nil {
		zone = *spec.TimeZone
	}
	sched, err := schedule.Parse(spec.Schedule, zone)
	if err != nil { // it was good when its manifest was read
		s.res.Warning("UnparseableSchedule", fmt.Sprintf("unparseable schedule: %q : %s", spec.Schedule, err))
		return
	}
	if last := s.c.Status.LastScheduleTime; last != nil && last.After(s.in.Now.Add(time.Minute)) {
		// The clock was ahead, and was set back: what has not happened yet is not waited for.
		now := s.in.Time()
		s.c.Status.LastScheduleTime = &now
	}
	defer func() { s.res.WakeAt(s.next(sched)) }()
	due, missed := s.due(sched, true)
	if missed > manyMissed {
		s.res.Warning("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	name := s.c.Name + fmt.Sprintf("-%d", due.Unix()/60)
	switch last := s.c.Status.LastScheduleTime; {
	case due.IsZero():
		return
	case spec.StartingDeadlineSeconds != nil && due.Add(time.Duration(*spec.StartingDeadlineSeconds)*time.Second).Before(s.in.Now):
		s.res.Warning("MissSchedule", "Missed scheduled time to start a job: "+due.UTC().Format(time.RFC1123Z))
		return
	case last != nil && last.Time.Equal(due) ||
		slices.ContainsFunc(s.c.Status.Active, func(r corev1.ObjectReference) bool { return r.Name == name }):
		return
	case spec.ConcurrencyPolicy == batchv1.ForbidConcurrent && len(s.c.Status.Active) > 0:
		s.res.Normal("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
		return
	case spec.ConcurrencyPolicy == batchv1.ReplaceConcurrent:
		for _, j := range slices.Clone(s.jobs) {
			if s.active(j.UID) {
				s.remove(j)
			}
		}
	}
	s.make(name, due)
}

// make makes the Job of a moment. Its name says the minute, so that no moment has two.
func (s *step) make(name string, due time.Time) {
	at := metav1.NewTime(due)
	s.c.Status.LastScheduleTime = &at
	for _, j := range s.in.Jobs {
		if j.Name == name {
			s.res.Warning("FailedCreate", fmt.Sprintf("Error creating job: jobs.batch %q already exists", name))
			return
		}
	}
	t := s.c.Spec.JobTemplate.DeepCopy()
	labels := t.Labels
	if len(labels) == 0 {
		labels = maps.Clone(t.Spec.Template.Labels) // a default of the API server
	}
	annotations := t.Annotations
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[batchv1.CronJobScheduledTimestampAnnotation] = s.inZone(due).Format(time.RFC3339)
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: s.c.Namespace, UID: s.namer.Fixed(name), Generation: 1, Labels: labels, Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s.c, kind)}, CreationTimestamp: s.in.Time(),
		},
		Spec: t.Spec,
	}
	s.res.Write = append(s.res.Write, j)
	s.res.Normal("SuccessfulCreate", "Created job "+name)
	s.c.Status.Active = append(s.c.Status.Active, corev1.ObjectReference{
		APIVersion: "batch/v1", Kind: "Job", Namespace: j.Namespace, Name: name, UID: j.UID,
	})
}

func (s *step) inZone(t time.Time) time.Time {
	if z := s.c.Spec.TimeZone; z != nil {
		if l, err := timezone.Load(*z); err == nil {
			return t.In(l)
		}
	}
	return t.UTC()
}

package cronjob

import (
	"time"

	"podd/runtime/manifest/schedule"
)

// manyMissed is how many missed times are worth a warning.
const manyMissed = 100

// since is when the count of moments begins: the last one that had a Job, or the creation.
func (s *step) since() time.Time {
	t := s.c.CreationTimestamp.Time
	if last := s.c.Status.LastScheduleTime; last != nil {
		t = last.Time
	}
	return t.In(s.in.Now.Location())
}

// due is the latest moment that has come and has no Job yet; zero: there is none. missed is about how many have come: those
// before the latest are not made up for. What lies before the deadline for starting does not count if deadline is set. It
// follows kubernetes pkg/controller/cronjob, mostRecentScheduleTime.
func (s *step) due(sched schedule.Schedule, deadline bool) (at time.Time, missed int64) {
	now, from := s.in.Now, s.since()
	if d := s.c.Spec.StartingDeadlineSeconds; deadline && d != nil {
		if first := now.Add(-time.Duration(*d) * time.Second); first.After(from) {
			from = first
		}
	}
	first := sched.Next(from)
	second := sched.Next(first)
	switch {
	case first.IsZero() || now.Before(first): // zero: a day that no month has
		return time.Time{}, 0
	case second.IsZero() || now.Before(second):
		return first, 1
	}
	interval := second.Sub(first).Round(time.Second)
	if interval < time.Second {
		return time.Time{}, 0
	}
	// Near the end first: a clock that was set by half a century has not missed every minute of it one by one.
	missed = int64(now.Sub(first)/interval) + 1
	for t := sched.Next(first.Add(time.Duration(missed-2) * interval)); !t.IsZero() && !t.After(now); t = sched.Next(t) {
		at = t
	}
	return at, missed
}

// next is when to look again; zero: never.
func (s *step) next(sched schedule.Schedule) time.Time {
	from, missed := s.due(sched, false)
	switch {
	case !from.IsZero():
	case missed > 0:
		from = s.in.Now
	default:
		from = s.since()
	}
	return sched.Next(from)
}

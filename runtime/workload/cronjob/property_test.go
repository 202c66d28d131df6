package cronjob

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest/schedule"
	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

// TestFiresOnce plays CronJobs in which podd dies in the middle of a step, the clock jumps, by decades too, Jobs end when they
// like or are taken away, and people suspend and resume: no moment of a schedule has two Jobs, no Job is of a moment that has
// not come or that is none of the schedule, one look makes one at most, Forbid never has two at a time, and none begins later
// than the deadline for that.
func TestFiresOnce(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := workloadtest.New(t, seed)
			text := []string{"* * * * *", "*/7 * * * *", "0 3 * * *", "30 6-16/4 * * 1-5", "@hourly"}[b.Rand.IntN(5)]
			policy := []batchv1.ConcurrencyPolicy{batchv1.AllowConcurrent, batchv1.ForbidConcurrent, batchv1.ReplaceConcurrent}[b.Rand.IntN(3)]
			var deadline *int64
			if b.Rand.IntN(2) == 0 {
				deadline = new(int64(30 + b.Rand.IntN(600)))
			}
			c := newCron(text, func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy, s.StartingDeadlineSeconds = policy, deadline })
			sched, err := schedule.Parse(text, "")
			if err != nil {
				t.Fatal(err)
			}
			if b.Rand.IntN(4) == 0 {
				c.CreationTimestamp = metav1.Unix(10, 0) // before the clock was set
			}
			b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
				if c, ok := o.(*batchv1.CronJob); ok {
					res := Compute(c, in)
					if len(res.Write) > 1 {
						t.Fatalf("%d Jobs at once", len(res.Write))
					}
					return res, true
				}
				return workload.Result{}, false
			}
			made := map[types.UID]string{} // names of all Jobs that ever were
			moments := map[string]types.UID{}
			b.Check = func() {
				running := 0
				for _, j := range workloadtest.Of[*batchv1.Job](b) {
					if finished(j) == "" {
						running++
					}
					if made[j.UID] != "" {
						continue
					}
					made[j.UID] = j.Name
					if other := moments[j.Name]; other != "" {
						t.Fatalf("a second Job %s", j.Name)
					}
					moments[j.Name] = j.UID
					var minute int64
					_, _ = fmt.Sscanf(j.Name, "sums-%d", &minute)
					due := time.Unix(60*minute, 0).UTC()
					switch {
					case due.After(b.Now):
						t.Fatalf("a Job of %v at %v", due, b.Now)
					case !sched.Next(due.Add(-time.Second)).Equal(due):
						t.Fatalf("%v is no moment of %s", due, text)
					case deadline != nil && b.Now.Sub(due) > time.Duration(*deadline)*time.Second:
						t.Fatalf("a Job of %v at %v, later than %d s", due, b.Now, *deadline)
					}
				}
				if policy == batchv1.ForbidConcurrent && running > 1 {
					t.Fatalf("%d Jobs at a time", running)
				}
			}
			b.Put(c)
			for range 400 {
				o := b.Get("sums")
				switch n := b.Rand.IntN(20); {
				case n < 8:
					b.Step(o)
				case n < 11:
					b.StepAndDie(o)
				case n < 13:
					if list := workloadtest.Of[*batchv1.Job](b); len(list) > 0 {
						j := list[b.Rand.IntN(len(list))].DeepCopy()
						if finished(j) == "" {
							at := metav1.NewTime(b.Now)
							as := []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobFailed}[b.Rand.IntN(2)]
							j.Status.StartTime, j.Status.CompletionTime = &at, &at
							j.Status.Conditions = []batchv1.JobCondition{{Type: as, Status: corev1.ConditionTrue}}
							b.Put(j)
						}
					}
				case n == 13:
					if list := workloadtest.Of[*batchv1.Job](b); len(list) > 0 {
						b.Remove(list[b.Rand.IntN(len(list))].UID)
					}
				case n == 14:
					d := o.(*batchv1.CronJob).DeepCopy()
					d.Spec.Suspend = new(d.Spec.Suspend == nil || !*d.Spec.Suspend)
					b.Put(d)
				case n == 15:
					b.Now = b.Now.Add(time.Duration(b.Rand.IntN(100)) * time.Hour)
				case n == 16 && b.Rand.IntN(20) == 0:
					b.Now = b.Now.AddDate(30, 0, 0)
				default:
					b.Now = b.Now.Add(time.Duration(b.Rand.IntN(90_000)) * time.Millisecond)
				}
			}
			if d := b.Get("sums").(*batchv1.CronJob).DeepCopy(); d.Spec.Suspend != nil {
				d.Spec.Suspend = nil
				b.Put(d)
			}
			// It goes on: after all that, a moment that comes has its Job.
			for _, j := range workloadtest.Of[*batchv1.Job](b) {
				b.Remove(j.UID)
			}
			b.Settle()
			for _, j := range workloadtest.Of[*batchv1.Job](b) {
				b.Remove(j.UID)
			}
			b.Settle()
			before := len(made)
			if !b.Wake() {
				t.Fatal("it asks for no look")
			}
			b.Settle()
			if len(made) != before+1 {
				t.Errorf("%d Jobs at %v, want one more than %d", len(made), b.Now, before)
			}
		})
	}
}

// TestFrom1970FiresOnce moves the clock of a board from 1970 to today with any schedule: one Job at most, at once.
func TestFrom1970FiresOnce(t *testing.T) {
	for _, text := range []string{"* * * * *", "*/10 * * * *", "0 0 1 1 *", "0 0 29 2 *", "@every 90m", "5 4 * * 0"} {
		c := newCron(text, nil)
		c.CreationTimestamp = metav1.Unix(10, 0)
		b := workloadtest.New(t, 1)
		looks := 0
		b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
			if c, ok := o.(*batchv1.CronJob); ok {
				looks++
				return Compute(c, in), true
			}
			return workload.Result{}, false
		}
		today := b.Now
		b.Now = time.Unix(20, 0)
		b.Put(c)
		b.Settle()
		if n := len(workloadtest.Of[*batchv1.Job](b)); n != 0 {
			t.Errorf("%s: %d Jobs in 1970", text, n)
		}
		b.Now, looks = today, 0
		b.Settle()
		if n := len(workloadtest.Of[*batchv1.Job](b)); n != 1 || looks > 8 {
			t.Errorf("%s: %d Jobs after %d looks", text, n, looks)
		}
	}
}

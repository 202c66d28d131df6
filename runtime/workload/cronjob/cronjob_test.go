package cronjob

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/workload"
	"podd/runtime/workload/workloadtest"
)

func newCron(text string, change func(*batchv1.CronJobSpec)) *batchv1.CronJob {
	c := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "sums", Namespace: "default", UID: "sums", Generation: 1},
		Spec: batchv1.CronJobSpec{
			Schedule: text, ConcurrencyPolicy: batchv1.AllowConcurrent,
			SuccessfulJobsHistoryLimit: new(int32(3)), FailedJobsHistoryLimit: new(int32(1)),
		},
	}
	c.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sum", Image: "sum"}}
	if change != nil {
		change(&c.Spec)
	}
	return c
}

func board(t *testing.T, c *batchv1.CronJob) *workloadtest.Board {
	b := workloadtest.New(t, 1)
	b.Now = time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	b.Compute = func(o workload.Object, in workload.Input) (workload.Result, bool) {
		if c, ok := o.(*batchv1.CronJob); ok {
			return Compute(c, in), true
		}
		return workload.Result{}, false
	}
	b.Put(c)
	b.Settle()
	return b
}

// names lists the Jobs that are there by the minute at which they were due.
func names(b *workloadtest.Board) string {
	var list []string
	for _, j := range workloadtest.Of[*batchv1.Job](b) {
		var minute int64
		_, _ = fmt.Sscanf(j.Name, "sums-%d", &minute)
		list = append(list, time.Unix(60*minute, 0).UTC().Format("15:04"))
	}
	return strings.Join(list, " ")
}

func end(b *workloadtest.Board, j *batchv1.Job, as batchv1.JobConditionType) {
	j = j.DeepCopy()
	now := metav1.NewTime(b.Now)
	j.Status.StartTime, j.Status.CompletionTime = &now, &now
	j.Status.Conditions = []batchv1.JobCondition{{Type: as, Status: corev1.ConditionTrue}}
	b.Put(j)
	b.Settle()
}

func endAll(b *workloadtest.Board, as batchv1.JobConditionType) {
	for _, j := range workloadtest.Of[*batchv1.Job](b) {
		if finished(j) == "" {
			end(b, j, as)
		}
	}
}

// pass wakes the controller as often as it asks for, within a while.
func pass(b *workloadtest.Board, d time.Duration) {
	for until := b.Now.Add(d); ; {
		before := b.Now
		if !b.Wake() || b.Now.After(until) {
			b.Now = until
			return
		}
		if !b.Now.After(before) {
			b.T.Fatal("it wakes and wakes")
		}
		b.Settle()
	}
}

func expect(t *testing.T, b *workloadtest.Board, what, want string) {
	t.Helper()
	if got := names(b); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestByTheClock(t *testing.T) {
	b := board(t, newCron("*/10 * * * *", nil))
	expect(t, b, "at once", "")
	pass(b, 9*time.Minute+29*time.Second)
	expect(t, b, "a second before", "")
	pass(b, time.Second)
	expect(t, b, "on time", "12:10")
	j := workloadtest.Of[*batchv1.Job](b)[0]
	if j.Annotations[batchv1.CronJobScheduledTimestampAnnotation] != "2026-03-01T12:10:00Z" || j.OwnerReferences[0].Kind != "CronJob" ||
		j.Name != fmt.Sprintf("sums-%d", time.Date(2026, 3, 1, 12, 10, 0, 0, time.UTC).Unix()/60) || len(j.Spec.Template.Spec.Containers) != 1 {
		t.Errorf("%+v", j)
	}
	if s := b.Get("sums").(*batchv1.CronJob).Status; len(s.Active) != 1 || s.Active[0].UID != j.UID || s.LastScheduleTime.UTC().Format("15:04") != "12:10" {
		t.Errorf("%+v", s)
	}
	end(b, j, batchv1.JobComplete)
	if s := b.Get("sums").(*batchv1.CronJob).Status; len(s.Active) != 0 || !s.LastSuccessfulTime.Time.Equal(b.Now) {
		t.Errorf("%+v", s)
	}
	pass(b, 20*time.Minute)
	expect(t, b, "goes on", "12:10 12:20 12:30")
	b.Remove(j.UID)
	b.Settle()
	expect(t, b, "nothing is made up for", "12:20 12:30")
}

func TestHistory(t *testing.T) {
	b := board(t, newCron("* * * * *", nil))
	for i := range 8 {
		pass(b, time.Minute)
		as := batchv1.JobComplete
		if i%2 == 1 {
			as = batchv1.JobFailed
		}
		endAll(b, as)
	}
	expect(t, b, "three good, one bad", "12:03 12:05 12:07 12:08")
}

func TestConcurrency(t *testing.T) {
	b := board(t, newCron("* * * * *", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ForbidConcurrent }))
	pass(b, 3*time.Minute)
	expect(t, b, "Forbid", "12:01")
	endAll(b, batchv1.JobComplete)
	expect(t, b, "Forbid: the last missed one", "12:01 12:03")
	b = board(t, newCron("* * * * *", func(s *batchv1.CronJobSpec) { s.ConcurrencyPolicy = batchv1.ReplaceConcurrent }))
	pass(b, 3*time.Minute)
	expect(t, b, "Replace", "12:03")
	if s := b.Get("sums").(*batchv1.CronJob).Status; len(s.Active) != 1 {
		t.Errorf("%+v", s)
	}
}

// What was missed while the board was off runs once, unless the deadline for its start has passed.
func TestMissed(t *testing.T) {
	b := board(t, newCron("0 * * * *", nil))
	b.Now = b.Now.Add(26*time.Hour + 5*time.Minute)
	b.Settle()
	expect(t, b, "without a deadline", "14:00")
	for deadline, want := range map[int64]string{100: "", 600: "14:00"} {
		b = board(t, newCron("0 * * * *", func(s *batchv1.CronJobSpec) { s.StartingDeadlineSeconds = &deadline }))
		b.Now = b.Now.Add(26*time.Hour + 5*time.Minute)
		b.Settle()
		expect(t, b, fmt.Sprint("with a deadline of ", deadline), want)
		pass(b, time.Hour)
		expect(t, b, "goes on", strings.TrimSpace(want+" 15:00"))
	}
}

// Half a century that was missed minute by minute is one Job and one warning, at once.
func TestFrom1970(t *testing.T) {
	c := newCron("* * * * *", nil)
	c.CreationTimestamp = metav1.Unix(10, 0)
	b := board(t, c)
	expect(t, b, "from 1970", "12:00")
	if !strings.Contains(fmt.Sprint(b.Events), "TooManyMissedTimes") {
		t.Error(b.Events)
	}
	// A clock that was ahead and is right now.
	late := metav1.NewTime(b.Now.Add(1000 * time.Hour))
	d := b.Get("sums").(*batchv1.CronJob).DeepCopy()
	d.Status.LastScheduleTime = &late
	b.Put(d)
	b.Settle()
	pass(b, time.Minute)
	expect(t, b, "after a clock that was ahead", "12:00 12:01")
	// Nobody knows the date.
	in := workload.Input{Now: b.Now, ClockUnset: true}
	if res := Compute(newCron("* * * * *", nil), in); !res.Settled() || !res.Wake.IsZero() {
		t.Errorf("%+v", res)
	}
}

func TestZonesAndNever(t *testing.T) {
	b := board(t, newCron("0 15 * * *", func(s *batchv1.CronJobSpec) { s.TimeZone = new("Asia/Kolkata") }))
	pass(b, 24*time.Hour)
	expect(t, b, "15:00 in Kolkata", "09:30")
	if a := workloadtest.Of[*batchv1.Job](b)[0].Annotations[batchv1.CronJobScheduledTimestampAnnotation]; a != "2026-03-02T15:00:00+05:30" {
		t.Error(a)
	}
	// 2026-03-29 has no 02:30 in Berlin: nothing runs that day at that time.
	b = board(t, newCron("30 2 * * *", func(s *batchv1.CronJobSpec) { s.TimeZone = new("Europe/Berlin") }))
	b.Now = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	b.Settle()
	expect(t, b, "missed", "01:30")
	pass(b, 12*time.Hour+59*time.Minute)
	expect(t, b, "the night before", "01:30")
	for _, never := range []string{"59 23 31 2 *"} {
		b = board(t, newCron(never, nil))
		if b.Wake() {
			t.Errorf("%s wakes", never)
		}
	}
	b = board(t, newCron("* * * * *", func(s *batchv1.CronJobSpec) { s.Suspend = new(true) }))
	if b.Wake() {
		t.Error("suspended, and wakes")
	}
}

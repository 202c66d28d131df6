package controllers

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

// sums is a CronJob; more are further lines of its spec.
func sums(schedule, more string) string {
	return fmt.Sprintf(`
metadata: {name: sums}
spec:
  schedule: %q
%s
  jobTemplate:
    metadata: {labels: {app: sums}, annotations: {note: kept}}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: sums, image: "registry.example/sums:v1"}
`, schedule, more)
}

func (w *world) cron(do string, change func(*batchv1.CronJobSpec)) {
	edit(w, do, "CronJob", "sums", func(c *batchv1.CronJob) { change(&c.Spec) })
}

var cronJobs = []scenario{
	{"cronjob-by-the-clock", func(w *world) {
		w.manifest("apply", "CronJob", sums("*/10 * * * *", ""))
		for range 2 {
			w.later(10 * time.Minute)
			w.change("it runs", ready("sums", 0))
			w.until("sums", 0)
		}
	}},
	{"cronjob-history", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", "  successfulJobsHistoryLimit: 2\n  failedJobsHistoryLimit: 1"))
		w.cron("no tries", func(s *batchv1.CronJobSpec) { s.JobTemplate.Spec.BackoffLimit = new(int32(0)) })
		for i := range 7 {
			w.later(time.Minute)
			w.until("sums", int32(i%2))
		}
		w.cron("none are kept", func(s *batchv1.CronJobSpec) {
			s.SuccessfulJobsHistoryLimit, s.FailedJobsHistoryLimit = new(int32(0)), new(int32(0))
		})
	}},
	{"cronjob-allow", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", ""))
		w.later(time.Minute)
		w.later(time.Minute)
		w.change("all run", ready("sums", 0))
		w.later(time.Minute)
		w.until("sums", 0)
	}},
	{"cronjob-forbid", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", "  concurrencyPolicy: Forbid"))
		w.later(time.Minute)
		w.change("it runs", ready("sums", 0))
		w.later(time.Minute)
		w.later(time.Minute)
		w.until("sums", 0)
		w.later(time.Minute)
	}},
	{"cronjob-forbid-deadline", func(w *world) {
		w.manifest("apply", "CronJob", sums("*/2 * * * *", "  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 30"))
		w.later(2 * time.Minute)
		w.change("it runs", ready("sums", 0))
		w.later(2*time.Minute + 40*time.Second)
		w.until("sums", 0)
		w.later(80 * time.Second)
	}},
	{"cronjob-replace", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", "  concurrencyPolicy: Replace"))
		w.later(time.Minute)
		w.change("it runs", ready("sums", 0))
		w.later(time.Minute)
		w.change("the old one ends", collect("sums"))
		w.change("the new one runs", ready("sums", 0))
		w.until("sums", 0)
		w.later(time.Minute)
	}},
	{"cronjob-missed", func(w *world) {
		w.manifest("apply", "CronJob", sums("0 * * * *", ""))
		w.later(5*time.Hour + 10*time.Minute) // nobody looked
		w.until("sums", 0)
		w.later(30 * time.Minute)
		w.later(20 * time.Minute)
	}},
	{"cronjob-missed-deadline", func(w *world) {
		w.manifest("apply", "CronJob", sums("0 * * * *", "  startingDeadlineSeconds: 300"))
		w.later(5*time.Hour + 10*time.Minute) // too late for all of them
		w.later(54 * time.Minute)             // late, but not too late
		w.until("sums", 0)
	}},
	{"cronjob-missed-many", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", ""))
		w.later(3*time.Hour + 10*time.Second)
		w.until("sums", 0)
		w.later(time.Minute)
	}},
	{"cronjob-suspend", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", "  suspend: true"))
		w.later(3 * time.Minute)
		w.cron("resume", func(s *batchv1.CronJobSpec) { s.Suspend = new(false) })
		w.change("it runs", ready("sums", 0))
		w.cron("suspend", func(s *batchv1.CronJobSpec) { s.Suspend = new(true) })
		w.later(2 * time.Minute)
		w.until("sums", 0)
	}},
	{"cronjob-time-zone", func(w *world) {
		w.manifest("apply", "CronJob", sums("30 9 * * *", "  timeZone: Asia/Kolkata"))
		w.later(4*time.Hour - 10*time.Second)
		w.later(15 * time.Second)
		w.until("sums", 0)
		w.cron("in New York", func(s *batchv1.CronJobSpec) { s.TimeZone = new("America/New_York") })
		w.later(10*time.Hour + 30*time.Minute)
	}},
	{"cronjob-uneven", func(w *world) {
		w.manifest("apply", "CronJob", sums("30 6-16/4 * * 1-5", "")) // from a Saturday
		w.later(48 * time.Hour)
		w.later(7 * time.Hour)
		w.until("sums", 0)
		w.later(25 * time.Hour)
	}},
	{"cronjob-other-schedule", func(w *world) {
		w.manifest("apply", "CronJob", sums("@hourly", ""))
		w.later(time.Hour)
		w.until("sums", 0)
		w.later(10 * time.Minute)
		w.cron("every five minutes", func(s *batchv1.CronJobSpec) { s.Schedule = "*/5 * * * *" })
		w.until("sums", 0)
		w.later(5 * time.Minute)
		w.cron("another image", func(s *batchv1.CronJobSpec) {
			s.JobTemplate.Spec.Template.Spec.Containers[0].Image = "registry.example/sums:v2"
		})
		w.later(5 * time.Minute)
	}},
	{"cronjob-job-goes", func(w *world) {
		w.manifest("apply", "CronJob", sums("* * * * *", "  concurrencyPolicy: Forbid"))
		w.later(time.Minute)
		w.change("it runs", ready("sums", 0))
		w.takeAway("Job", w.list("Job")[0].GetName())
		w.change("it ends", collect("sums"))
		w.later(time.Minute)
	}},
	{"cronjob-job-retries", func(w *world) {
		w.manifest("apply", "CronJob", sums("*/5 * * * *", ""))
		w.later(5 * time.Minute)
		w.change("it fails", finish("sums", 1, 1))
		w.later(11 * time.Second)
		w.until("sums", 0)
		w.cron("gone after a minute", func(s *batchv1.CronJobSpec) { s.JobTemplate.Spec.TTLSecondsAfterFinished = new(int32(60)) })
		w.later(5 * time.Minute)
		w.until("sums", 0)
		w.later(time.Minute)
	}},
}

package controllers

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"podd/runtime/workload/workloadtest"
)

// pi is a Job; more are further lines of its spec.
func pi(more string) string {
	return fmt.Sprintf(`
metadata: {name: pi}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: pi, image: "registry.example/pi:v1"}
%s
`, more)
}

func (w *world) jobSpec(do string, change func(*batchv1.JobSpec)) {
	edit(w, do, "Job", "pi", func(j *batchv1.Job) { change(&j.Spec) })
}

// until lets pods end with a code, one after the other, as long as there are any.
func (w *world) until(prefix string, code int32) {
	for range 30 {
		c := finish(prefix, 1, code)
		busy := false
		for _, p := range w.pods() {
			busy = busy || c.Selects(p)
		}
		if !busy {
			return
		}
		w.change(fmt.Sprintf("one ends with %d", code), c)
	}
	w.t.Fatal("no end of pods")
}

var jobs = []scenario{
	{"job-one", func(w *world) {
		w.manifest("apply", "Job", pi(""))
		w.change("it runs", ready("pi", 0))
		w.until("pi", 0)
	}},
	{"job-completions", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 5\n  parallelism: 2"))
		w.until("pi", 0)
	}},
	{"job-work-queue", func(w *world) {
		w.manifest("apply", "Job", pi("  parallelism: 3"))
		w.until("pi", 0)
	}},
	{"job-backoff-limit", func(w *world) {
		w.manifest("apply", "Job", pi("  backoffLimit: 2"))
		for _, wait := range []int{9, 2, 18, 3} {
			w.until("pi", 1)
			w.later(time.Duration(wait) * time.Second)
		}
		w.until("pi", 1)
	}},
	{"job-fails-then-succeeds", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 2\n  parallelism: 2"))
		w.change("one fails", finish("pi", 1, 1))
		w.change("the other succeeds", finish("pi", 1, 0))
		w.later(11 * time.Second)
		w.until("pi", 0)
	}},
	{"job-failure-stops-others", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 3\n  parallelism: 3\n  backoffLimit: 0"))
		w.change("they run", ready("pi", 0))
		w.change("one fails", finish("pi", 1, 1))
		w.change("the others end", collect("pi"))
	}},
	{"job-deadline", func(w *world) {
		w.manifest("apply", "Job", pi("  activeDeadlineSeconds: 30"))
		w.change("it runs", ready("pi", 0))
		w.later(31 * time.Second)
		w.change("it ends", collect("pi"))
	}},
	{"job-suspend", func(w *world) {
		w.manifest("apply", "Job", pi("  suspend: true\n  parallelism: 2\n  completions: 2"))
		no, yes := false, true
		w.jobSpec("resume", func(s *batchv1.JobSpec) { s.Suspend = &no })
		w.change("they run", ready("pi", 0))
		w.jobSpec("suspend", func(s *batchv1.JobSpec) { s.Suspend = &yes })
		w.change("they end", collect("pi"))
		w.jobSpec("resume", func(s *batchv1.JobSpec) { s.Suspend = &no })
		w.until("pi", 0)
	}},
	{"job-parallelism-changes", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 6\n  parallelism: 2"))
		w.change("they run", ready("pi", 0))
		three, one := int32(3), int32(1)
		w.jobSpec("parallelism 3", func(s *batchv1.JobSpec) { s.Parallelism = &three })
		w.change("all run", ready("pi", 0))
		w.jobSpec("parallelism 1", func(s *batchv1.JobSpec) { s.Parallelism = &one })
		w.change("some end", collect("pi"))
		w.until("pi", 0)
	}},
	{"job-indexed", func(w *world) {
		w.manifest("apply", "Job", pi("  completionMode: Indexed\n  completions: 4\n  parallelism: 2"))
		w.change("index 1 succeeds", finish("pi-1", 1, 0))
		w.change("index 0 fails", finish("pi-0", 1, 1))
		w.later(11 * time.Second)
		w.until("pi", 0)
	}},
	{"job-indexed-elastic", func(w *world) {
		w.manifest("apply", "Job", pi("  completionMode: Indexed\n  completions: 3\n  parallelism: 3"))
		w.change("index 2 succeeds", finish("pi-2", 1, 0))
		two, four := int32(2), int32(4)
		w.jobSpec("two", func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = &two, &two })
		w.jobSpec("four", func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = &four, &four })
		w.until("pi", 0)
	}},
	{"job-indexed-limit", func(w *world) {
		w.manifest("apply", "Job", pi("  completionMode: Indexed\n  completions: 3\n  parallelism: 3\n  backoffLimitPerIndex: 1\n  maxFailedIndexes: 2"))
		w.change("index 0 succeeds", finish("pi-0", 1, 0))
		w.change("index 1 fails", finish("pi-1", 1, 1))
		w.later(11 * time.Second)
		w.change("index 1 fails again", finish("pi-1", 1, 1))
		w.change("index 2 succeeds", finish("pi-2", 1, 0))
	}},
	{"job-failure-policy", func(w *world) {
		w.manifest("apply", "Job", pi(`  completions: 2
  parallelism: 2
  podFailurePolicy:
    rules:
    - {action: Ignore, onExitCodes: {operator: In, values: [5]}}
    - {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}
    - {action: FailJob, onExitCodes: {containerName: pi, operator: In, values: [42]}}
`))
		w.change("one is ignored", finish("pi", 1, 5))
		w.later(11 * time.Second)
		w.change("one counts", finish("pi", 1, 1))
		w.later(21 * time.Second)
		w.change("one fails it all", finish("pi", 1, 42))
		w.change("the rest ends", collect("pi"))
	}},
	{"job-success-policy", func(w *world) {
		w.manifest("apply", "Job", pi(`  completionMode: Indexed
  completions: 4
  parallelism: 4
  successPolicy:
    rules:
    - {succeededIndexes: "1-2", succeededCount: 1}
`))
		w.change("index 0 succeeds", finish("pi-0", 1, 0))
		w.change("index 2 succeeds", finish("pi-2", 1, 0))
		w.change("the rest ends", collect("pi"))
	}},
	{"job-replacement-failed", func(w *world) {
		w.manifest("apply", "Job", pi("  podReplacementPolicy: Failed\n  completions: 2\n  parallelism: 2"))
		w.change("they run", ready("pi", 0))
		w.change("one is removed by hand", workloadtest.Change{Prefix: "pi", Count: 1, Do: "end"})
		// podd has no memory of a failed pod that is gone, and makes the next one without a back-off.
		w.changeAndWait("it ends", 11*time.Second, collect("pi"))
		w.until("pi", 0)
	}},
	{"job-replacement-terminating", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 2\n  parallelism: 2"))
		w.change("they run", ready("pi", 0))
		w.changeAndWait("one is removed by hand", 11*time.Second, workloadtest.Change{Prefix: "pi", Count: 1, Do: "end"})
		w.change("it ends", collect("pi"))
		w.until("pi", 0)
	}},
	{"job-time-to-live", func(w *world) {
		w.manifest("apply", "Job", pi("  ttlSecondsAfterFinished: 30"))
		w.until("pi", 0)
		w.later(20 * time.Second)
		w.later(12 * time.Second)
	}},
	{"job-managed-by", func(w *world) {
		w.manifest("apply", "Job", pi("  managedBy: example.com/other"))
		w.later(time.Minute)
	}},
	{"job-failure-policy-index", func(w *world) {
		w.manifest("apply", "Job", pi(`  completionMode: Indexed
  completions: 3
  parallelism: 3
  backoffLimitPerIndex: 2
  podFailurePolicy:
    rules:
    - {action: FailIndex, onExitCodes: {operator: In, values: [42]}}
    - {action: Count, onExitCodes: {operator: NotIn, values: [1]}}
`))
		w.change("index 1 is lost", finish("pi-1", 1, 42))
		w.change("index 0 succeeds", finish("pi-0", 1, 0))
		w.change("index 2 fails", finish("pi-2", 1, 7))
		w.later(11 * time.Second)
		w.until("pi", 0)
	}},
	{"job-failed-indexes", func(w *world) {
		w.manifest("apply", "Job", pi("  completionMode: Indexed\n  completions: 4\n  parallelism: 4\n  backoffLimitPerIndex: 0\n  maxFailedIndexes: 1"))
		w.change("they run", ready("pi", 0))
		w.change("index 3 fails", finish("pi-3", 1, 1))
		w.change("index 1 fails", finish("pi-1", 1, 1))
		w.change("the others end", collect("pi"))
	}},
	{"job-success-policy-all", func(w *world) {
		w.manifest("apply", "Job", pi(`  completionMode: Indexed
  completions: 3
  parallelism: 2
  successPolicy:
    rules:
    - {succeededIndexes: "0,2"}
    - {succeededCount: 3}
`))
		w.change("index 0 succeeds", finish("pi-0", 1, 0))
		w.change("index 2 succeeds", finish("pi-2", 1, 0))
		w.change("the rest ends", collect("pi"))
	}},
	{"job-suspend-indexed", func(w *world) {
		w.manifest("apply", "Job", pi("  completionMode: Indexed\n  completions: 3\n  parallelism: 2\n  activeDeadlineSeconds: 100"))
		w.change("index 1 succeeds", finish("pi-1", 1, 0))
		w.change("they run", ready("pi", 0))
		w.later(40 * time.Second)
		w.jobSpec("suspend", func(s *batchv1.JobSpec) { s.Suspend = new(true) })
		w.later(70 * time.Second)
		w.change("they end", collect("pi"))
		w.jobSpec("resume", func(s *batchv1.JobSpec) { s.Suspend = new(false) })
		w.later(90 * time.Second)
		w.later(12 * time.Second)
		w.change("they end", collect("pi"))
	}},
	{"job-other-labels", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 2\n  parallelism: 2"))
		w.change("they run", ready("pi", 0))
		w.change("one loses its labels", workloadtest.Change{Prefix: "pi", Count: 1, Do: "label", Labels: map[string]string{"a": "b"}})
		w.change("they succeed", finish("pi", 0, 0))
	}},
	{"job-parallelism-zero", func(w *world) {
		w.manifest("apply", "Job", pi("  completions: 2\n  parallelism: 0"))
		w.jobSpec("parallelism 5", func(s *batchv1.JobSpec) { s.Parallelism = new(int32(5)) })
		w.change("one succeeds", finish("pi", 1, 0))
		w.jobSpec("parallelism 0", func(s *batchv1.JobSpec) { s.Parallelism = new(int32(0)) })
		w.change("it ends", collect("pi"))
		w.takeAway("Job", "pi")
	}},
}

package plan

import (
	"time"

	"podd/runtime/state"
)

// The kubelet's crash-loop back-off: the first restart is immediate, each further one waits twice as long,
// and ten good minutes forgive everything.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
const (
	BackoffFirst = 10 * time.Second
	backoffMax   = 5 * time.Minute
	BackoffReset = 10 * time.Minute
)

// nextBackoff is the delay that follows one of d.
func nextBackoff(d time.Duration) time.Duration {
	if d == 0 {
		return BackoffFirst
	}
	return min(2*d, backoffMax)
}

// RestartDelay says how long a container that ran for ran waits before its next start, and the delay that
// would follow that one.
func RestartDelay(current, ran time.Duration) (delay, next time.Duration) {
	if ran >= BackoffReset {
		current = 0
	}
	return current, nextBackoff(current)
}

// PostponeStart waits for the next try of a start that came to nothing as after a crash, but at least the first delay
// where there was no container that could have crashed.
func PostponeStart(c *state.ContainerRecord, crashed bool, now state.Instant) {
	current := c.Backoff
	if !crashed {
		current = max(current, BackoffFirst)
	}
	delay, next := RestartDelay(current, 0)
	c.Backoff, c.NotBefore = next, now.After(delay)
}

// ScheduleRestart sets the earliest next start of a container that has just ended.
func ScheduleRestart(rec *state.Record, c *state.ContainerRecord, now state.Instant) {
	if c.Changed || rec.RestartAll {
		// It has not crashed.
		c.Backoff, c.NotBefore = 0, 0
		return
	}
	ran := BackoffReset
	if c.Started != nil {
		ran = now.Mono.Sub(c.Started.Mono)
	}
	delay, next := RestartDelay(c.Backoff, ran)
	c.Backoff, c.NotBefore = next, now.After(delay)
}

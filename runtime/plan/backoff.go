package plan

import (
	"time"

	"podd/runtime/state"
)

// The kubelet's crash-loop back-off: the first restart is immediate, each further one waits twice as long,
// and ten good minutes forgive everything.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
const (
	backoffFirst   = 10 * time.Second
	BackoffLongest = 5 * time.Minute // unless the node says less
	backoffReset   = 10 * time.Minute
)

// RestartDelay says how long a container that ran for ran waits before its next start, and the delay that
// would follow that one. No delay is longer than longest, not even the first. KEP-4603
func RestartDelay(current, ran, longest time.Duration) (delay, next time.Duration) {
	if ran >= backoffReset {
		current = 0
	}
	return min(current, longest), min(max(2*current, backoffFirst), longest)
}

// PostponeStart waits for the next try of a start that came to nothing as after a crash, but at least the first delay
// where there was no container that could have crashed.
func PostponeStart(c *state.ContainerRecord, crashed bool, longest time.Duration, now state.Instant) {
	current := c.Backoff
	if !crashed {
		current = max(current, backoffFirst)
	}
	delay, next := RestartDelay(current, 0, longest)
	c.Backoff, c.NotBefore = next, now.After(delay)
}

// ScheduleRestart sets the earliest next start of a container that has just ended.
func ScheduleRestart(rec *state.Record, c *state.ContainerRecord, longest time.Duration, now state.Instant) {
	if c.Changed || rec.RestartAll {
		// It has not crashed.
		c.Backoff, c.NotBefore = 0, 0
		return
	}
	ran := backoffReset
	if c.Started != nil {
		ran = now.Mono.Sub(c.Started.Mono)
	}
	delay, next := RestartDelay(c.Backoff, ran, longest)
	c.Backoff, c.NotBefore = next, now.After(delay)
}

package plan

import "time"

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

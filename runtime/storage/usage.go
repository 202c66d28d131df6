package storage

import (
	"time"

	"podd/runtime/executor"
	"podd/runtime/state"
)

// How long a pod may exceed the sizeLimit of an emptyDir where no project quota holds it: while it writes, and at most, which
// is how long the kubelet keeps what it has measured (volumeStatsAggPeriod).
const (
	measureEvery = 10 * time.Second
	measureLast  = time.Minute
)

// Usage is what the emptyDirs of a pod took when they were last measured, and when to look again: the longer the less they
// change. It belongs to the loop; the zero Usage was never measured.
type Usage struct {
	used  int64
	every time.Duration
	next  state.BootTime
	held  bool // by the file system
}

// Take takes in what was measured. held: the file system keeps the pod to its limits, and there is no need to look again.
func (u *Usage) Take(used int64, held bool, now state.Instant) {
	every := measureEvery
	if u.every != 0 && used == u.used {
		every = min(2*u.every, measureLast)
	}
	*u = Usage{used: used, every: every, next: now.After(every), held: held}
}

// Next is when to look again, or for the first time (since boot); due is false if it is not to be looked at: only pods that have
// an emptyDir on disk with a sizeLimit are, while nothing happens.
func (u *Usage) Next(rec *state.Record) (next state.BootTime, due bool) {
	return u.next, !u.held && hasDiskLimit(rec)
}

func hasDiskLimit(rec *state.Record) bool {
	for i := range rec.Object.Spec.Volumes {
		if executor.DiskLimit(&rec.Object.Spec.Volumes[i]) > 0 {
			return true
		}
	}
	return false
}

package runtime

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

// hasDiskLimit says that an emptyDir on disk has a sizeLimit. Only such pods are looked at while nothing happens.
func hasDiskLimit(rec *state.Record) bool {
	for i := range rec.Object.Spec.Volumes {
		if executor.DiskLimit(&rec.Object.Spec.Volumes[i]) > 0 {
			return true
		}
	}
	return false
}

func (r *Runtime) handleVolumesMeasured(p *pod, o executor.VolumesMeasured, now state.Instant) {
	p.usage = p.usage.next(o.Used)
	p.measure, p.quotas = now.After(p.usage.every), o.Err == nil && o.Held
	if o.Err == nil && o.Excess != "" {
		r.evict(p, o.Excess, now)
	}
}

// usage is what the emptyDirs of a pod took when they were last measured, and when to look again: the longer the less
// they change.
type usage struct {
	used  int64
	every time.Duration
}

func (u usage) next(used int64) usage {
	if u.every == 0 || used != u.used {
		return usage{used, measureEvery}
	}
	return usage{used, min(2*u.every, measureLast)}
}

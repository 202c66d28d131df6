package probe

import (
	"hash/fnv"
	"time"
)

// tick is how far apart wake-ups are at least: probes that are due between two of them are made together at the
// second, so that a board with many probes wakes up four times a second and not a hundred times.
const tick = 250 * time.Millisecond

// spreadOver bounds how much later than its period a probe is made, once, to move it away from the others.
const spreadOver = 5 * time.Second

// SpreadOf makes the number that spreads from a name.
func SpreadOf(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32()
}

// offset is where within half a period, and spreadOver at most, a plan has its place.
func offset(p Plan) time.Duration {
	places := min(p.Period/2, spreadOver) / tick
	if places == 0 {
		return 0
	}
	return time.Duration(p.Spread) % places * tick
}

// onGrid rounds a due time up to a tick.
func onGrid(due, period time.Duration) time.Duration {
	if period < 2*tick {
		return due
	}
	return (due + tick - 1) / tick * tick
}

package runtime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Instant is one moment on two clocks. Deadlines count on Mono alone: a board without a battery clock
// learns the date while pods run, and Wall then jumps by decades.
type Instant struct {
	Wall time.Time     `json:"wall"`
	Mono time.Duration `json:"mono"` // since boot, suspended time included: CLOCK_BOOTTIME
}

// readClock reads both clocks.
func readClock() Instant {
	var ts unix.Timespec
	// CLOCK_BOOTTIME cannot fail on a kernel that podd runs on (man 2 clock_gettime: since Linux 2.6.39).
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return Instant{Wall: time.Now().Round(0), Mono: time.Duration(ts.Nano())}
}

// clockStep is how far the wall clock may drift from the monotonic one before it counts as having been set.
const clockStep = 5 * time.Second

// shown is the wall time to show at now for a moment in the past: as recorded, or, if the wall clock was set
// since, where the moment lies on the clock as it is now.
func (i Instant) shown(now Instant) time.Time {
	if i.Mono == earlierBoot {
		return i.Wall
	}
	derived := now.Wall.Add(i.Mono - now.Mono)
	if diff := derived.Sub(i.Wall); diff > clockStep || diff < -clockStep {
		return derived.Truncate(time.Second)
	}
	return i.Wall
}

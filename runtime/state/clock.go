package state

import (
	"time"

	"golang.org/x/sys/unix"
)

// BootTime is a moment since the machine booted, suspended time included (CLOCK_BOOTTIME); zero: no moment.
type BootTime time.Duration

// Add is the moment d later.
func (t BootTime) Add(d time.Duration) BootTime { return t + BootTime(d) }

// Sub is how long after the other moment t is.
func (t BootTime) Sub(earlier BootTime) time.Duration { return time.Duration(t - earlier) }

// String shows the time since boot.
func (t BootTime) String() string { return time.Duration(t).String() }

// Instant is one moment on two clocks. Deadlines count on Mono alone: a board without a battery clock
// learns the date while pods run, and Wall then jumps by decades.
type Instant struct {
	Wall time.Time `json:"wall"`
	Mono BootTime  `json:"mono"`
}

// Now reads both clocks.
func Now() Instant {
	var ts unix.Timespec
	// CLOCK_BOOTTIME cannot fail on a kernel that podd runs on (man 2 clock_gettime: since Linux 2.6.39).
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return Instant{Wall: time.Now().Round(0), Mono: BootTime(ts.Nano())}
}

// clockStep is how far the wall clock may drift from the monotonic one before it counts as having been set.
const clockStep = 5 * time.Second

// WallAt is the wall time to show at now for a moment in the past: as recorded, or, if the wall clock was set
// since, where the moment lies on the clock as it is now.
func (i Instant) WallAt(now Instant) time.Time {
	if i.Mono == earlierBoot {
		return i.Wall
	}
	derived := now.Wall.Add(i.Mono.Sub(now.Mono))
	if diff := derived.Sub(i.Wall); diff > clockStep || diff < -clockStep {
		return derived.Truncate(time.Second)
	}
	return i.Wall
}

// SinceBootTicks turns a start time in clock ticks since boot into an instant. man 5 proc: 100 ticks a second.
func SinceBootTicks(ticks uint64, now Instant) Instant {
	mono := BootTime(ticks) * BootTime(time.Second/100)
	return Instant{Wall: now.Wall.Add(mono.Sub(now.Mono)), Mono: mono}
}

// After is the moment d later, on the clock since boot.
func (i Instant) After(d time.Duration) BootTime { return i.Mono.Add(d) }

// earlierBoot is the Mono of an instant whose monotonic clock has ended with its boot: only its wall time is left.
const earlierBoot = BootTime(-1)

// Milliseconds are the whole milliseconds since boot.
func (t BootTime) Milliseconds() uint64 { return uint64(t) / uint64(time.Millisecond) }

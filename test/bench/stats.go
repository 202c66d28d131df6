package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// cost is what one run of something took.
type cost struct{ wall, cpu time.Duration }

// median of a list; the zero value of an empty one.
func median[T cmp.Ordered](list []T) T {
	var zero T
	if len(list) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func walls(list []cost) []time.Duration {
	var out []time.Duration
	for _, c := range list {
		out = append(out, c.wall)
	}
	return out
}

func cpus(list []cost) []time.Duration {
	var out []time.Duration
	for _, c := range list {
		out = append(out, c.cpu)
	}
	return out
}

// monotonic is CLOCK_MONOTONIC, the clock of the workload's stamp.
func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // every kernel has this clock
	}
	return time.Duration(now.Nano())
}

func ms(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	value := float64(d) / float64(time.Millisecond)
	if value < 100 {
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

func kib(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/1024) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

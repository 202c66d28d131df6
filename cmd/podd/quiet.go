//go:build quiet

package main

import (
	"time"
	_ "unsafe" // go:linkname
)

// Go's monitor wakes up twice in this time, in nanoseconds, to see whether the collector has run: also of a process at
// rest, whose collector podd has stopped (memory.go), and it is the only thing that would wake such a daemon. `make build`
// builds with this file, and with the flag of the linker that it needs; docs/decisions/034-no-wake-ups.md.
//
//go:linkname forceGCPeriod runtime.forcegcperiod
var forceGCPeriod int64

func init() { forceGCPeriod = int64(365 * 24 * time.Hour) }

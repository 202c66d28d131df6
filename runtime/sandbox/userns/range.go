package userns

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// unit is how many ids 16 bits hold: what a pod has at least, and ranges are aligned to. KEP-127
const unit = 1 << 16

// Span are the ids of the machine that pods may have.
type Span struct {
	Base, Size uint64
	PerPod     uint64
}

// Default is a part of the ids that nobody else claims, above the containers of systemd and below what 32 bits with a sign
// hold, for 1024 pods. https://systemd.io/UIDS-GIDS
func Default() Span { return Span{Base: 0x70000000, Size: 1024 * unit, PerPod: unit} }

// Check refuses ids that cannot be cut into ranges, or that the machine's own users may have.
func (s Span) Check() error {
	switch {
	case s.Base%unit != 0 || s.Size%unit != 0 || s.PerPod%unit != 0:
		return fmt.Errorf("all must be multiples of %d", unit)
	case s.Base < unit:
		return fmt.Errorf("the ids below %d are the machine's own", unit)
	case s.PerPod == 0 || s.Size < s.PerPod:
		return fmt.Errorf("%d ids are too few for pods of %d", s.Size, s.PerPod)
	case s.Base > last() || s.Size > last()-s.Base:
		return fmt.Errorf("%d ids from %d on go beyond the last that there is", s.Size, s.Base)
	}
	return nil
}

// maxID is where the last aligned range begins, which is nobody's: the very last id stands for none (man 2 chown).
const maxID = 1<<32 - unit

// last is what an int holds on 32-bit processors: package syscall takes ids as such.
func last() uint64 { return min(maxID, math.MaxInt) }

// Range are Count ids of the machine from First on: a pod's user and group 0 is First.
type Range struct{ First, Count uint32 }

// RangeOf reads which ids a process has; false: those of the machine, or it is gone. man 7 user_namespaces, /proc/PID/uid_map
func RangeOf(pid int) (Range, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) != 3 || fields[0] != "0" {
		return Range{}, false
	}
	r, ok := parseRange(fields[1] + "+" + fields[2])
	return r, ok && r.First != 0
}

func (r Range) overlaps(o Range) bool {
	return r.First < o.First+o.Count && o.First < r.First+r.Count
}

func (r Range) String() string { return fmt.Sprintf("%d+%d", r.First, r.Count) }

func parseRange(text string) (Range, bool) {
	first, count, _ := strings.Cut(text, "+")
	f, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return Range{}, false
	}
	c, err := strconv.ParseUint(count, 10, 32)
	return Range{uint32(f), uint32(c)}, err == nil && c > 0 && f+c <= maxID
}

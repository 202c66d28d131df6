package userns

import (
	"fmt"
	"strconv"
)

// Count is how many ids a pod has: those that 16 bits hold, as Kubernetes wants at least.
const Count = 1 << 16

// The ids that pods get by default: a part of those that nobody else claims, above the containers of systemd and below
// what 32 bits with a sign hold. https://systemd.io/UIDS-GIDS
const (
	DefaultBase = 0x70000000
	DefaultSize = 1024 * Count
)

// Range are Count ids of the machine from First on: a pod's user and group 0 is First.
type Range struct{ First uint32 }

// Host is the machine's id for one that the pod sees.
func (r Range) Host(id int) int { return int(r.First) + id }

func (r Range) String() string { return strconv.FormatUint(uint64(r.First), 10) }

// CheckSpan refuses ids that cannot be cut into ranges, or that the machine's own users may have.
func CheckSpan(base, size uint64) error {
	switch {
	case base%Count != 0 || size%Count != 0:
		return fmt.Errorf("both must be multiples of %d, not %d and %d", Count, base, size)
	case base < Count:
		return fmt.Errorf("the ids below %d are the machine's own: the first cannot be %d", Count, base)
	case size < Count:
		return fmt.Errorf("%d ids are too few for a pod, which has %d", size, Count)
	case base > maxID || size > maxID-base:
		return fmt.Errorf("%d ids from %d on go beyond the last that the kernel has, %d", size, base, maxID-1)
	}
	return nil
}

// maxID is one more than the last id; the one after it stands for none (man 2 chown). The last range that fits below ends
// before both.
const maxID = 1<<32 - Count

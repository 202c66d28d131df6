package rtnetlink

import (
	"errors"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// dumpTries is how often a list is asked for that changes while it is read (NLM_F_DUMP_INTR).
const dumpTries = 10

// RetryDump repeats an interrupted dump: what it returned may lack entries.
func RetryDump[T any](dump func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		got, err := dump()
		interrupted := errors.Is(err, netlink.ErrDumpInterrupted) || errors.Is(err, unix.EINTR)
		if !interrupted || try == dumpTries {
			return got, err
		}
	}
}

package userns

import (
	"errors"
	"fmt"

	"podd/internal/atomicfile"
	"podd/internal/lease"
)

// Leases hand out ranges. A range that a pod has had since before the configuration changed stays its own: its processes
// and files have it.
type Leases struct {
	*lease.Leases[Range]
	span Span
}

// NewLeases hands out ranges of the span, which Check has accepted, and keeps them in dir, which is made when it is first
// needed. damaged is told of what in it is no lease.
func NewLeases(dir string, span Span, damaged atomicfile.Report) *Leases {
	return &Leases{lease.New(dir, lease.Set[Range]{
		Format:  Range.String,
		Parse:   parseRange,
		Next:    span.next,
		Size:    span.ranges(),
		Overlap: Range.overlaps,
	}, damaged), span}
}

// Acquire returns the range of id, a new one if it has none.
func (l *Leases) Acquire(id string) (Range, error) {
	r, err := l.Leases.Acquire(id)
	if errors.Is(err, lease.ErrExhausted) {
		return r, fmt.Errorf("%w: %d have some, from %d on; raise userNamespaces.size in the configuration", ErrExhausted, l.span.ranges(), l.span.Base)
	}
	if err != nil {
		return r, fmt.Errorf("cannot note whose ids a range is: %w", err)
	}
	return r, nil
}

func (s Span) ranges() uint64 { return s.Size / s.PerPod }

// next goes round.
func (s Span) next(r Range) Range {
	index := uint64(0)
	if first := uint64(r.First); first >= s.Base {
		index = (first-s.Base)/s.PerPod + 1
	}
	if index >= s.ranges() {
		index = 0
	}
	return Range{uint32(s.Base + index*s.PerPod), uint32(s.PerPod)}
}

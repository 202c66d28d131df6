// Package mcs lends each pod a pair of SELinux categories, by which its processes and files are told from those of other
// pods (multi-category security).
package mcs

import (
	"fmt"

	"podd/internal/atomicfile"
	"podd/internal/lease"
)

// categories is how many the policies of distributions have.
const categories = 1024

// Pair are two categories, the lower one first.
type Pair struct{ Low, High int }

// Level is the SELinux level of processes and files that have the pair.
func (p Pair) Level() string { return "s0:" + p.String() }

func (p Pair) String() string { return fmt.Sprintf("c%d,c%d", p.Low, p.High) }

// Parse reads the pair of a level, or what String has written.
func Parse(text string) (Pair, bool) {
	var p Pair
	for _, form := range []string{"c%d,c%d", "s0:c%d,c%d"} {
		if n, err := fmt.Sscanf(text, form, &p.Low, &p.High); err == nil && n == 2 && fmt.Sprintf(form, p.Low, p.High) == text {
			return p, p.Low >= 0 && p.Low < p.High && p.High < categories
		}
	}
	return Pair{}, false
}

// Leases hand out pairs.
type Leases = lease.Leases[Pair]

// NewLeases keeps leases in dir, which is made when it is first needed. damaged is told of what in it is no lease.
func NewLeases(dir string, damaged atomicfile.Report) *Leases {
	return lease.New(dir, lease.Set[Pair]{
		Format: Pair.String,
		Parse:  Parse,
		Next:   next,
		Size:   categories * (categories - 1) / 2,
	}, damaged)
}

// next goes round.
func next(p Pair) Pair {
	switch {
	case p.High+1 < categories:
		p.High++
	case p.Low+2 < categories:
		p.Low++
		p.High = p.Low + 1
	default:
		p = Pair{0, 1}
	}
	return p
}

// Package mcs lends each pod a pair of SELinux categories, by which its processes and files are told from those of other
// pods (multi-category security).
package mcs

import (
	"strconv"
	"strings"

	"podd/internal/atomicfile"
	"podd/internal/lease"
)

// categories is how many the policies of distributions have.
const categories = 1024

// Pair are two categories: First, and the one that is Count above it. It has the form of userns.Range, so that the compiler
// makes one code of both kinds of leases.
type Pair struct{ First, Count uint32 }

// Level is the SELinux level of processes and files that have the pair.
func (p Pair) Level() string { return lowest + p.String() }

const lowest = "s0:"

func (p Pair) String() string {
	return "c" + strconv.FormatUint(uint64(p.First), 10) + ",c" + strconv.FormatUint(uint64(p.First+p.Count), 10)
}

// Parse reads the pair of a level, or what String has written.
func Parse(text string) (Pair, bool) {
	text = strings.TrimPrefix(text, lowest)
	low, high, _ := strings.Cut(text, ",")
	first, err := strconv.ParseUint(strings.TrimPrefix(low, "c"), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimPrefix(high, "c"), 10, 16)
	p := Pair{uint32(first), uint32(last - first)}
	return p, err == nil && err2 == nil && first < last && last < categories && p.String() == text
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
	case p.First+p.Count+1 < categories:
		p.Count++
	case p.First+2 < categories:
		p = Pair{p.First + 1, 1}
	default:
		p = Pair{0, 1}
	}
	return p
}

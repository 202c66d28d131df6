package nft

import (
	"net/netip"
	"slices"
	"sort"
)

// Span is a range of addresses of one family, both ends included.
type Span struct{ From, To netip.Addr }

func SpanOf(p netip.Prefix) Span { return Span{p.Masked().Addr(), LastAddr(p)} }

// MergeSpans sorts ranges and joins those that overlap or touch: what a set of ranges holds may not overlap.
func MergeSpans(all []Span) []Span {
	all = slices.Clone(all)
	sort.Slice(all, func(i, j int) bool { return all[i].From.Less(all[j].From) })
	var out []Span
	for _, s := range all {
		if n := len(out); n > 0 && touches(out[n-1], s) {
			if out[n-1].To.Less(s.To) {
				out[n-1].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// touches says of two sorted ranges whether they make one.
func touches(a, b Span) bool {
	next := a.To.Next()
	return !next.IsValid() || !next.Less(b.From)
}

// Subtract takes what is in any of the holes out of s.
func Subtract(s Span, holes []Span) []Span {
	var out []Span
	for _, h := range MergeSpans(holes) {
		if h.To.Less(s.From) {
			continue
		}
		if s.To.Less(h.From) {
			break
		}
		if s.From.Less(h.From) {
			out = append(out, Span{s.From, h.From.Prev()})
		}
		next := h.To.Next()
		if !next.IsValid() || s.To.Less(next) {
			return out
		}
		s.From = next
	}
	return append(out, s)
}

// LastAddr is the last address of a network.
func LastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

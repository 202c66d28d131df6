package netns

import (
	"net/netip"
	"slices"
	"sort"
)

// span is a range of addresses of one family, both ends included.
type span struct{ from, to netip.Addr }

func spanOf(p netip.Prefix) span { return span{p.Masked().Addr(), lastAddr(p)} }

// mergeSpans sorts ranges and joins those that overlap or touch: what a set of ranges holds may not overlap.
func mergeSpans(all []span) []span {
	all = slices.Clone(all)
	sort.Slice(all, func(i, j int) bool { return all[i].from.Less(all[j].from) })
	var out []span
	for _, s := range all {
		if n := len(out); n > 0 && touches(out[n-1], s) {
			if out[n-1].to.Less(s.to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// touches says of two sorted ranges whether they make one.
func touches(a, b span) bool {
	next := a.to.Next()
	return !next.IsValid() || !next.Less(b.from)
}

// subtract takes what is in any of the holes out of s.
func subtract(s span, holes []span) []span {
	var out []span
	for _, h := range mergeSpans(holes) {
		if h.to.Less(s.from) {
			continue
		}
		if s.to.Less(h.from) {
			break
		}
		if s.from.Less(h.from) {
			out = append(out, span{s.from, h.from.Prev()})
		}
		next := h.to.Next()
		if !next.IsValid() || s.to.Less(next) {
			return out
		}
		s.from = next
	}
	return append(out, s)
}

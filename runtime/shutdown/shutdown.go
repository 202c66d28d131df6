// Package shutdown says in which order pods end with the board: those of low priority first, as a kubelet's shutdown manager
// (pkg/kubelet/nodeshutdown) has it. It is pure.
package shutdown

import (
	"slices"
	"sort"
	"time"

	"podd/runtime/state"
)

// Group is the pods of a priority and above, up to that of the next group, and how long they have to end. Grace 0: as long as
// each of them says.
type Group struct {
	Priority int32
	Grace    time.Duration
}

// Sorted puts groups in the order in which they end.
func Sorted(groups []Group) []Group {
	groups = slices.Clone(groups)
	sort.Slice(groups, func(i, j int) bool { return groups[i].Priority < groups[j].Priority })
	return groups
}

// of is the place of a priority's group. What is below the lowest is of the lowest.
func of(groups []Group, priority int32) int {
	at := 0
	for i, g := range groups {
		if g.Priority <= priority {
			at = i
		}
	}
	return at
}

// Limit is the longest grace of a pod; 0: its own.
func Limit(groups []Group, priority int32) time.Duration {
	if len(groups) == 0 {
		return 0
	}
	return groups[of(groups, priority)].Grace
}

// Total is how long all groups together may take; 0: that is up to the pods.
func Total(groups []Group) (all time.Duration) {
	for _, g := range groups {
		if g.Grace == 0 {
			return 0
		}
		all += g.Grace
	}
	return all
}

// Pod is what of a pod counts.
type Pod struct {
	Priority int32
	Grace    time.Duration
}

// Longest is how long the pods may take to end, group after group.
func Longest(groups []Group, pods []Pod) (all time.Duration) {
	longest := map[int]time.Duration{}
	for _, p := range pods {
		grace := p.Grace
		if limit := Limit(groups, p.Priority); limit > 0 {
			grace = min(grace, limit)
		}
		at := of(groups, p.Priority)
		longest[at] = max(longest[at], grace)
	}
	for _, grace := range longest {
		all += grace
	}
	return all
}

// Stages is how far a shutdown is. Without one, and without groups, all pods end.
type Stages struct {
	groups []Group // sorted
	at     int
	until  state.BootTime // when the next group's turn comes in any case; 0: once this one has ended
}

// Begin starts with the first group.
func (s *Stages) Begin(groups []Group, now state.BootTime) {
	*s = Stages{groups: groups}
	s.limit(now)
}

func (s *Stages) limit(now state.BootTime) {
	s.until = 0
	if s.at < len(s.groups)-1 && s.groups[s.at].Grace > 0 {
		s.until = now.Add(s.groups[s.at].Grace)
	}
}

// Ends says whether the turn of a pod has come.
func (s *Stages) Ends(priority int32) bool {
	return len(s.groups) == 0 || of(s.groups, priority) <= s.at
}

// Limit is the longest grace of a pod in this shutdown; 0: its own.
func (s *Stages) Limit(priority int32) time.Duration { return Limit(s.groups, priority) }

// Advance goes on to the next group when the pods of this one and those before it have ended, or its time is over; left are
// the priorities of the pods that there are. It says whether it has.
func (s *Stages) Advance(left []int32, now state.BootTime) (moved bool) {
	for s.at < len(s.groups)-1 {
		if slices.ContainsFunc(left, s.Ends) && (s.until == 0 || now < s.until) {
			break
		}
		s.at++
		s.limit(now)
		moved = true
	}
	return moved
}

// WakeAt is when Advance has to be asked even if nothing happens; 0: never.
func (s *Stages) WakeAt() state.BootTime { return s.until }

package shutdown

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"podd/runtime/state"
)

// Whatever groups and pods there are: turns come in the order of priorities, none comes back, a group that has pods is left
// only when they are gone or its time is over, and in the end all pods have had theirs.
func TestTurnsComeInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		priorities := []int32{-100, 0, 1000, 5000, critical}
		var list []Group
		for _, p := range priorities[:1+r.IntN(len(priorities))] {
			list = append(list, Group{p, time.Duration(r.IntN(3)) * 10 * time.Second})
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		asked := slices.Clone(list)
		sorted := Sorted(list)
		if !slices.Equal(list, asked) {
			t.Fatal("wrote into the settings")
		}
		if !slices.IsSortedFunc(sorted, func(a, b Group) int { return int(max(min(int64(a.Priority)-int64(b.Priority), 1), -1)) }) {
			t.Fatalf("%v", sorted)
		}
		pods := []int32{}
		for range r.IntN(6) {
			pods = append(pods, priorities[r.IntN(len(priorities))]+int32(r.IntN(50)))
		}
		var s Stages
		now := state.BootTime(time.Second)
		s.Begin(sorted, now)
		last := s.at
		for step := 0; ; step++ {
			if step > 200 {
				t.Fatalf("%v with %v does not end", sorted, pods)
			}
			due := slices.ContainsFunc(pods, s.Ends)
			over := s.until != 0 && now >= s.until
			moved := s.Advance(pods, now)
			if moved != (s.at != last) || s.at < last {
				t.Fatalf("moved %v, from %d to %d", moved, last, s.at)
			}
			if moved && due && !over {
				t.Fatalf("%v: group %d is left though %v have not ended", sorted, last, pods)
			}
			if moved && s.at > 0 && s.at < len(sorted)-1 && !slices.ContainsFunc(pods, s.Ends) {
				t.Fatalf("%v: stops at group %d, of which nobody is left", sorted, s.at)
			}
			for _, p := range pods {
				if limit := s.Limit(p); limit != Limit(sorted, p) {
					t.Fatalf("limit of %d: %v", p, limit)
				}
			}
			last = s.at
			if len(pods) == 0 && s.at == len(sorted)-1 {
				break
			}
			// One of those whose turn it is ends, or time passes.
			if i := slices.IndexFunc(pods, s.Ends); i >= 0 && r.IntN(2) == 0 {
				pods = slices.Delete(pods, i, i+1)
			} else if at := s.WakeAt(); at != 0 {
				now = max(now, at)
			}
		}
		if s.WakeAt() != 0 {
			t.Fatalf("asks to be looked at at %v after the last group", s.WakeAt())
		}
	}
}

// Which group a priority is of: the highest that is not above it, and the lowest for what is below all.
func TestGroupOfPriority(t *testing.T) {
	sorted := Sorted([]Group{{1000, time.Second}, {0, 2 * time.Second}, {critical, 3 * time.Second}})
	for priority, want := range map[int32]time.Duration{
		-2147483648: 2 * time.Second, -1: 2 * time.Second, 0: 2 * time.Second, 999: 2 * time.Second, 1000: time.Second, critical - 1: time.Second,
		critical: 3 * time.Second, 2147483647: 3 * time.Second,
	} {
		if got := Limit(sorted, priority); got != want {
			t.Errorf("%d: %v, want %v", priority, got, want)
		}
	}
	if got := Limit(nil, 5); got != 0 {
		t.Errorf("without groups: %v", got)
	}
	if got := Longest(sorted, nil); got != 0 {
		t.Errorf("nobody takes %v", got)
	}
	if got := Total(nil); got != 0 {
		t.Errorf("no groups take %v", got)
	}
}

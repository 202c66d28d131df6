package shutdown

import (
	"testing"
	"time"

	"podd/runtime/state"
)

const critical = 2_000_000_000

func at(d time.Duration) state.BootTime { return state.BootTime(d) }

func groups() []Group {
	return Sorted([]Group{{critical, 10 * time.Second}, {0, 50 * time.Second}, {1000, 0}})
}

func TestStages(t *testing.T) {
	var s Stages
	if !s.Ends(critical) {
		t.Error("without groups not all end")
	}
	s.Begin(groups(), at(time.Second))
	if !s.Ends(0) || !s.Ends(-5) || !s.Ends(999) || s.Ends(1000) || s.Ends(critical+1000) {
		t.Error("the first group is not the lowest")
	}
	if s.Limit(-5) != 50*time.Second || s.Limit(5000) != 0 || s.Limit(critical+1000) != 10*time.Second {
		t.Error("limits")
	}
	if s.Advance([]int32{0, critical}, at(50*time.Second)) || s.WakeAt() != at(51*time.Second) {
		t.Errorf("it does not wait for the first group, until %v", s.WakeAt())
	}
	// Its time is over; there is nobody in the second one.
	if !s.Advance([]int32{0, 2000, critical}, at(51*time.Second)) || !s.Ends(2000) || s.Ends(critical) || s.WakeAt() != 0 {
		t.Error("the second group's turn has not come")
	}
	if s.Advance([]int32{2000, critical}, at(time.Hour)) {
		t.Error("a group without a limit is cut short")
	}
	if !s.Advance([]int32{critical}, at(time.Hour)) || !s.Ends(critical) || s.WakeAt() != 0 {
		t.Error("the critical ones do not end")
	}
	s.Begin(groups(), 0)
	if !s.Advance([]int32{critical}, 0) || !s.Ends(critical) {
		t.Error("groups of nobody are waited for")
	}
}

func TestLongest(t *testing.T) {
	pods := []Pod{{0, 30 * time.Second}, {0, time.Hour}, {2000, 70 * time.Second}, {critical, 5 * time.Second}}
	if got := Longest(groups(), pods); got != 125*time.Second {
		t.Errorf("%s", got)
	}
	if got := Longest(nil, pods); got != time.Hour {
		t.Errorf("without groups %s", got)
	}
}

func TestTotal(t *testing.T) {
	if got := Total([]Group{{0, 50 * time.Second}, {critical, 10 * time.Second}}); got != time.Minute {
		t.Errorf("%s", got)
	}
	if got := Total(groups()); got != 0 {
		t.Errorf("with a group without a limit %s", got)
	}
}

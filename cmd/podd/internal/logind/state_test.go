package logind

import (
	"slices"
	"testing"
)

func TestState(t *testing.T) {
	type step struct {
		what func(*state) []action
		want []action
	}
	connected := func(preparing bool) func(*state) []action {
		return func(s *state) []action { return s.connected(preparing) }
	}
	prepare := func(start bool) func(*state) []action {
		return func(s *state) []action { return s.prepare(start) }
	}
	for name, steps := range map[string][]step{
		"shutdown": {{connected(false), []action{takeLock}}, {prepare(true), []action{endPods}}},
		"cancelled": {
			{connected(false), []action{takeLock}},
			{prepare(true), []action{endPods}},
			{prepare(false), []action{cancelEnd, takeLock}},
			{prepare(true), []action{endPods}},
		},
		"announced twice":           {{prepare(true), []action{endPods}}, {prepare(true), nil}},
		"cancelled twice":           {{connected(false), []action{takeLock}}, {prepare(false), nil}},
		"it had begun":              {{connected(true), []action{endPods}}},
		"lost meanwhile, goes on":   {{prepare(true), []action{endPods}}, {connected(true), nil}},
		"lost meanwhile, cancelled": {{prepare(true), []action{endPods}}, {connected(false), []action{cancelEnd, takeLock}}},
		"lost at rest":              {{connected(false), []action{takeLock}}, {connected(false), []action{takeLock}}},
	} {
		var s state
		for i, step := range steps {
			if got := step.what(&s); !slices.Equal(got, step.want) {
				t.Errorf("%s: step %d: %v, want %v", name, i, got, step.want)
			}
		}
	}
	s := state{shuttingDown: true}
	if !s.podsEnded() {
		t.Error("the machine may not go on")
	}
	s.prepare(false)
	if s.podsEnded() {
		t.Error("a shutdown that was cancelled goes on")
	}
}

package runtime

import "testing"

// TestReplay plays sequences of moves that once failed and that seeds no longer find.
func TestReplay(t *testing.T) {
	for name, moves := range map[string][]move{
		"an attempt that became none, collected and made anew in one operation": {
			{"edit", 0, 26},
			{"edit", 1, 11},
			{"fault", 72, 29},
			{"advance", 4, 21},
			{"advance", 13, 8},
			{"fault", 47, 4},
			{"advance", 37, 19},
			{"dieMid", 50, 10},
			{"time", 47, 0},
			{"advance", 77, 23},
			{"time", 99, 22},
			{"die", 58, 5},
			{"advance", 61, 26},
			{"fault", 78, 21},
			{"advance", 10, 18},
		},
	} {
		if err := play(t, moves); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package probe

import (
	"strings"
	"testing"
)

// TestThresholds states runs of results as letters (s, f, w, u) and what is known after each (S, F, or - for what was
// true before).
func TestThresholds(t *testing.T) {
	results := map[rune]Result{'s': Success, 'f': Failure, 'w': Warning, 'u': Unknown}
	letters := map[Result]string{Success: "S", Failure: "F", Unknown: "-"}
	for _, tc := range []struct {
		success, failure int
		in, want         string
	}{
		{1, 1, "sfsf", "SFSF"},
		{1, 3, "sffsfff", "S--S--F"},
		{1, 3, "fff", "--F"},
		{3, 1, "sssfssfsss", "--SF--F--S"},
		{2, 2, "sfsf", "----"},
		{1, 3, "ffuf", "---F"}, // a probe that could not be made counts neither way
		{1, 2, "sfu", "S--"},
		{2, 1, "ws", "-S"}, // a warning is a success
		{1, 2, "ffff", "-FFF"},
	} {
		var run Run
		var got strings.Builder
		thresholds := Thresholds{Success: tc.success, Failure: tc.failure}
		for _, letter := range tc.in {
			run = thresholds.next(run, results[letter])
			got.WriteString(letters[thresholds.Verdict(run)])
		}
		if got.String() != tc.want {
			t.Errorf("thresholds %d and %d, %s: got %s, want %s", tc.success, tc.failure, tc.in, &got, tc.want)
		}
	}
}

// A run that goes on does not change: nobody has to be told of it, and nothing to be written down.
func TestSteadyRunStays(t *testing.T) {
	for _, result := range []Result{Success, Failure} {
		thresholds, run := Thresholds{Success: 2, Failure: 3}, Run{}
		for range 5 {
			run = thresholds.next(run, result)
		}
		if again := thresholds.next(run, result); again != run {
			t.Errorf("after five of %s: %v, then %v", result, run, again)
		}
	}
}

package runtime

import (
	"testing"
	"time"
)

// TestRestartDelays is the documented series: 0, 10 s, 20 s … 5 min, and 0 again after ten good minutes.
func TestRestartDelays(t *testing.T) {
	var current time.Duration
	for i, want := range []time.Duration{0, 10, 20, 40, 80, 160, 300, 300} {
		delay, next := restartDelay(current, time.Second)
		if delay != want*time.Second {
			t.Errorf("restart %d: got %v, want %v", i, delay, want*time.Second)
		}
		current = next
	}
	if delay, next := restartDelay(current, 10*time.Minute); delay != 0 || next != 10*time.Second {
		t.Errorf("after ten good minutes: got %v then %v", delay, next)
	}
	if delay, _ := restartDelay(current, 10*time.Minute-time.Second); delay != 5*time.Minute {
		t.Errorf("just short of ten minutes: got %v", delay)
	}
}

// TestShownFollowsASetClock: a moment of 1970 is shown where it lies once the board has learnt the date.
func TestShownFollowsASetClock(t *testing.T) {
	then := Instant{Wall: time.Unix(100, 0), Mono: 100 * time.Second}
	today := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	got := then.shown(Instant{Wall: today, Mono: 160 * time.Second})
	if want := today.Add(-time.Minute); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	slewed := Instant{Wall: time.Unix(162, 0), Mono: 160 * time.Second}
	if got := then.shown(slewed); !got.Equal(then.Wall) {
		t.Errorf("a slewed clock moved the moment to %v", got)
	}
}

package plan

import (
	"testing"
	"time"
)

// TestRestartDelays is the documented series: 0, 10 s, 20 s … 5 min, and 0 again after ten good minutes.
func TestRestartDelays(t *testing.T) {
	var current time.Duration
	for i, want := range []time.Duration{0, 10, 20, 40, 80, 160, 300, 300} {
		delay, next := RestartDelay(current, time.Second, BackoffLongest)
		if delay != want*time.Second {
			t.Errorf("restart %d: got %v, want %v", i, delay, want*time.Second)
		}
		current = next
	}
	if delay, next := RestartDelay(current, 10*time.Minute, BackoffLongest); delay != 0 || next != 10*time.Second {
		t.Errorf("after ten good minutes: got %v then %v", delay, next)
	}
	if delay, _ := RestartDelay(current, 10*time.Minute-time.Second, BackoffLongest); delay != 5*time.Minute {
		t.Errorf("just short of ten minutes: got %v", delay)
	}
}

// TestLongestDelay: a node may let its containers wait less, and less than the first delay.
func TestLongestDelay(t *testing.T) {
	for longest, want := range map[time.Duration][]time.Duration{
		30 * time.Second: {0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 30 * time.Second},
		time.Second:      {0, time.Second, time.Second},
	} {
		var current time.Duration
		for i, want := range want {
			delay, next := RestartDelay(current, 0, longest)
			if delay != want {
				t.Errorf("at most %v, restart %d: got %v, want %v", longest, i, delay, want)
			}
			current = next
		}
	}
	// The setting was made smaller while the container waits.
	if delay, _ := RestartDelay(BackoffLongest, 0, time.Minute); delay != time.Minute {
		t.Errorf("a delay of %v", delay)
	}
}

package plan

import (
	"testing"
	"time"
)

// TestRestartDelays is the documented series: 0, 10 s, 20 s … 5 min, and 0 again after ten good minutes.
func TestRestartDelays(t *testing.T) {
	var current time.Duration
	for i, want := range []time.Duration{0, 10, 20, 40, 80, 160, 300, 300} {
		delay, next := RestartDelay(current, time.Second)
		if delay != want*time.Second {
			t.Errorf("restart %d: got %v, want %v", i, delay, want*time.Second)
		}
		current = next
	}
	if delay, next := RestartDelay(current, 10*time.Minute); delay != 0 || next != 10*time.Second {
		t.Errorf("after ten good minutes: got %v then %v", delay, next)
	}
	if delay, _ := RestartDelay(current, 10*time.Minute-time.Second); delay != 5*time.Minute {
		t.Errorf("just short of ten minutes: got %v", delay)
	}
}

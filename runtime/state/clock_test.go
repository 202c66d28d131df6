package state

import (
	"testing"
	"time"
)

// TestShownFollowsASetClock: a moment of 1970 is shown where it lies once the board has learnt the date.
func TestShownFollowsASetClock(t *testing.T) {
	then := Instant{Wall: time.Unix(100, 0), Mono: BootTime(100 * time.Second)}
	today := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	got := then.WallAt(Instant{Wall: today, Mono: BootTime(160 * time.Second)})
	if want := today.Add(-time.Minute); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	slewed := Instant{Wall: time.Unix(162, 0), Mono: BootTime(160 * time.Second)}
	if got := then.WallAt(slewed); !got.Equal(then.Wall) {
		t.Errorf("a slewed clock moved the moment to %v", got)
	}
}

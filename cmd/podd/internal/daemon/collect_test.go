package daemon

import (
	"testing"
	"time"
)

// That a disk stays too full is told once, until it was not; that images find no room is told once a minute.
func TestNewsOfAFullDisk(t *testing.T) {
	var c collector
	start := time.Now()
	for i, step := range []struct {
		after       time.Duration
		short, need int64
		want        bool
	}{
		{0, 0, 0, false},
		{0, 5, 0, true},
		{0, 5, 0, false},
		{0, 7, 0, false}, // some bytes more or less are no news
		{0, 7, 100, true},
		{time.Second, 7, 100, false},
		{time.Second, 0, 100, false},
		{time.Minute, 7, 100, true},
		{time.Minute + time.Second, 7, 100, false},
		{time.Minute + time.Second, 7, 0, false},
		{time.Minute + time.Second, 0, 0, false},
		{time.Minute + time.Second, 1, 0, true},
	} {
		if got := c.news(step.short, step.need, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
}

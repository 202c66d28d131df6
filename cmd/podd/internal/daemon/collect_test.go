package daemon

import "testing"

// That a disk stays too full is told once, until it was not; that an image finds no room is told each time.
func TestNewsOfAFullDisk(t *testing.T) {
	var c collector
	for i, step := range []struct {
		short, need int64
		want        bool
	}{
		{0, 0, false},
		{5, 0, true},
		{5, 0, false},
		{7, 0, false}, // some bytes more or less are no news
		{7, 100, true},
		{7, 100, true},
		{0, 100, false},
		{7, 0, false},
		{0, 0, false},
		{1, 0, true},
	} {
		if got := c.news(step.short, step.need); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
}

package executor

import (
	"errors"
	"testing"
	"time"
)

// What fails again is told once and tried ever less often, until something goes well.
func TestStepBackoff(t *testing.T) {
	var b StepBackoff
	full, busy := errors.New("full"), errors.New("busy")
	for i, c := range []struct {
		action string
		err    error
		news   bool
		delay  time.Duration
	}{
		{"one", full, true, time.Second},
		{"one", full, false, time.Second},
		{"one", busy, true, time.Second},
		{"two", nil, false, time.Second},
		{"two", ErrSkipped, false, time.Second},
		{"one", busy, false, time.Second},
		{"one", busy, false, time.Second},
		{"one", busy, false, 2 * time.Second},
		{"one", busy, false, 4 * time.Second},
		{"two", busy, true, time.Second},
		{"one", busy, true, time.Second},
		{"one", nil, false, time.Second},
		{"one", busy, true, time.Second},
	} {
		if news := b.Record(c.action, c.err); news != c.news || b.Delay() != c.delay {
			t.Errorf("%d: news %t, delay %s", i, news, b.Delay())
		}
	}
	b.times = 1 << 30
	if b.Delay() != time.Minute {
		t.Errorf("at last: %s", b.Delay())
	}
}

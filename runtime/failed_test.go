package runtime

import (
	"errors"
	"testing"
	"time"

	"podd/runtime/executor"
)

// What fails again is told once and tried ever less often, until something goes well.
func TestFailing(t *testing.T) {
	var f failing
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
		{"two", executor.ErrSkipped, false, time.Second},
		{"one", busy, false, time.Second},
		{"one", busy, false, time.Second},
		{"one", busy, false, 2 * time.Second},
		{"one", busy, false, 4 * time.Second},
		{"two", busy, true, time.Second},
		{"one", busy, true, time.Second},
		{"one", nil, false, time.Second},
		{"one", busy, true, time.Second},
	} {
		if news := f.next(c.action, c.err); news != c.news || f.delay() != c.delay {
			t.Errorf("%d: news %t, delay %s", i, news, f.delay())
		}
	}
	f.times = 1 << 30
	if f.delay() != time.Minute {
		t.Errorf("at last: %s", f.delay())
	}
}

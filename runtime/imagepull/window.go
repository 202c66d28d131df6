package imagepull

import (
	"fmt"
	"strings"
	"time"
)

// Window is a part of each day, in the board's time. The zero value is the whole day.
type Window struct {
	from, to time.Duration // since midnight
	set      bool
}

// ParseWindow reads "22:00-06:00"; "" is the whole day.
func ParseWindow(s string) (Window, error) {
	if s == "" {
		return Window{}, nil
	}
	a, b, ok := strings.Cut(s, "-")
	from, err := time.Parse("15:04", strings.TrimSpace(a))
	if err == nil && ok {
		var to time.Time
		if to, err = time.Parse("15:04", strings.TrimSpace(b)); err == nil && !to.Equal(from) {
			return Window{sinceMidnight(from), sinceMidnight(to), true}, nil
		}
	}
	return Window{}, fmt.Errorf("must be hours such as 22:00-06:00, not %q", s)
}

func sinceMidnight(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}

// String is the form that ParseWindow reads.
func (w Window) String() string {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return clock(w.from) + "-" + clock(w.to)
}

const day = 24 * time.Hour

// until is how long it takes until the window opens; 0: it is open.
func (w Window) until(now time.Time) time.Duration {
	if !w.set || w.inside(now) {
		return 0
	}
	return (w.from - sinceMidnight(now) + day) % day
}

// left is how long the window stays open; 0: for ever, or it is closed.
func (w Window) left(now time.Time) time.Duration {
	if !w.set || !w.inside(now) {
		return 0
	}
	return (w.to - sinceMidnight(now) + day) % day
}

func (w Window) inside(now time.Time) bool {
	return (sinceMidnight(now)-w.from+day)%day < (w.to-w.from+day)%day
}

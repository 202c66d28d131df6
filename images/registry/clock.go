package registry

import (
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the newest time that a machine without a battery is known to have lived in. systemd-timesyncd keeps one, too.
type Clock struct {
	File   string   // whose time of change podd moves on
	Others []string // that somebody else moves on
	once   sync.Once
	built  time.Time
}

// Floor is the newest of the times: certificates are not judged by an earlier one.
func (c *Clock) Floor() time.Time {
	c.once.Do(func() { // several connections ask at once
		if c.built.IsZero() {
			c.built = builtAt()
		}
	})
	newest := c.built
	for _, path := range append([]string{c.File}, c.Others...) {
		if st, err := os.Stat(path); err == nil && st.ModTime().After(newest) {
			newest = st.ModTime()
		}
	}
	return newest
}

// Advance notes the time, if it is newer: the clock is believed once a registry's certificate was good at that time.
func (c *Clock) Advance(now time.Time) error {
	if st, err := os.Stat(c.File); err == nil {
		if now.Sub(st.ModTime()) < time.Hour { // no write for nothing
			return nil
		}
		return os.Chtimes(c.File, now, now)
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(c.File, now, now)
}

// builtAt is when podd itself was made: no later than its program was put on the disk.
func builtAt() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					return t
				}
			}
		}
	}
	return time.Time{}
}

// Unsynchronized asks the kernel whether anything keeps the clock right (man 2 adjtimex, STA_UNSYNC).
func Unsynchronized() bool {
	var t unix.Timex
	status, err := unix.Adjtimex(&t)
	return err != nil || status == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0
}

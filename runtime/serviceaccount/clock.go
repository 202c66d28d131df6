package serviceaccount

import (
	"os"

	"golang.org/x/sys/unix"
)

// Reactor calls ready when a descriptor is readable, until it returns true.
type Reactor interface {
	Add(fd int, ready func() (done bool)) (int32, error)
}

// WatchClock asks the kernel, once, to tell of jumps of the clock: a board without a battery starts in 1970. A timer that
// never ends is readable when the clock is set. man 2 timerfd_create, TFD_TIMER_CANCEL_ON_SET
func (m *Manager) WatchClock() {
	if m.clock != nil {
		return
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err == nil {
		m.clock = os.NewFile(uintptr(fd), "clock")
		err = armClock(fd)
	}
	if err == nil {
		_, err = m.Reactor.Add(fd, func() bool {
			var count [8]byte
			_, _ = unix.Read(fd, count[:]) // ECANCELED
			m.ClockSet()
			return armClock(fd) != nil
		})
	}
	if err != nil {
		m.Log.Warn("tokens may be out of date after a jump of the clock", "error", err)
	}
}

func armClock(fd int) error {
	// As far away in seconds as the processor's time reaches, within reason.
	const never = 1<<(31+9*(^uint(0)>>63)) - 1
	return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &unix.ItimerSpec{Value: unix.Timespec{Sec: never}}, nil)
}

package fdstore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"podd/internal/escape"
)

// States of man 3 sd_notify for Notify.
const (
	Ready     = "READY=1"
	Reloading = "RELOADING=1"
	Stopping  = "STOPPING=1"
	Watchdog  = "WATCHDOG=1"
)

// Status is the one-line state that systemctl status shows, as it is.
func Status(text string) string {
	return "STATUS=" + escape.Line(strings.ReplaceAll(text, "\n", " "))
}

// ExtendTimeout asks for so much time from now on, whatever TimeoutStartSec= or TimeoutStopSec= of the unit say.
func ExtendTimeout(d time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10)
}

// Notify sends the states in one datagram, so that the service manager sees all
// of them or none. Reloading is completed with the time stamp that a unit of
// Type=notify-reload needs.
func (s *Store) Notify(states ...string) error {
	if !s.Available() || len(states) == 0 {
		return nil
	}
	message := strings.Join(states, "\n")
	for _, state := range states {
		if state != Reloading {
			continue
		}
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return fmt.Errorf("cannot read the monotonic clock: %w", err)
		}
		message += "\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10)
	}
	if err := send(s.socket, message, nil); err != nil {
		return fmt.Errorf("cannot notify the service manager: %w", err)
	}
	return nil
}

// Put leaves a duplicate of fd with the service manager under a name; the caller
// keeps its own. FDPOLL=0 keeps systemd from dropping a pipe at hang-up with what
// is still in it, and a pidfd at the death of its process. Two descriptors put
// under one name are both kept.
func (s *Store) Put(name string, fd int) error {
	if err := checkName(name); err != nil {
		return err
	}
	if !s.Available() {
		return nil
	}
	message := "FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0"
	if err := send(s.socket, message, unix.UnixRights(fd)); err != nil {
		return fmt.Errorf("cannot store descriptor %q: %w", name, err)
	}
	return nil
}

// Remove makes the service manager close its descriptors of that name. One that
// it does not have is success.
func (s *Store) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if !s.Available() {
		return nil
	}
	if err := send(s.socket, "FDSTOREREMOVE=1\nFDNAME="+name, nil); err != nil {
		return fmt.Errorf("cannot remove stored descriptor %q: %w", name, err)
	}
	return nil
}

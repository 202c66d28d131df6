package fdstore

import (
	"os"
	"time"
)

// Store is this process's line to the service manager. Its methods may be called
// by several goroutines.
type Store struct {
	socket   string
	received map[string]int
	watchdog time.Duration
}

// FromEnvironment reads what the service manager left in the environment and
// removes it there, so that no child mistakes it for its own. It is to be called
// once, before the first child starts and before a descriptor is opened whose
// number matters.
func FromEnvironment() *Store {
	s := &Store{
		socket:   os.Getenv("NOTIFY_SOCKET"),
		watchdog: parseWatchdog(os.Getenv("WATCHDOG_PID"), os.Getenv("WATCHDOG_USEC"), os.Getpid()),
	}
	names := parseListen(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), os.Getpid())
	s.received = adopt(names)
	for _, name := range []string{
		"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "FDSTORE",
		"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
	} {
		os.Unsetenv(name)
	}
	return s
}

// Available says whether there is a service manager to talk to. Whether it keeps
// descriptors too is its unit's choice (FileDescriptorStoreMax=), which systemd
// only tells from version 254 on.
func (s *Store) Available() bool { return s.socket != "" }

// Received gives the descriptors that the service manager handed over, by name.
// They are the caller's, close on exec, and plain numbers: an os.File would close
// them when it is collected and would put nonblocking ones into the runtime's
// poller. Of several with one name the first in systemd's order is kept, the
// others are closed.
func (s *Store) Received() map[string]int { return s.received }

// WatchdogInterval is the time within which the service manager wants to hear
// Watchdog, 0 if it does not care. Half of it is a good period.
func (s *Store) WatchdogInterval() time.Duration { return s.watchdog }

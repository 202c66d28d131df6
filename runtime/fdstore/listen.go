package fdstore

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// firstFD is SD_LISTEN_FDS_START: the descriptor after stderr.
const firstFD = 3

// unnamed is the name that systemd gives to a stored descriptor without one.
const unnamed = "stored"

// parseListen reads the three variables of sd_listen_fds and returns one name for
// each descriptor from firstFD on; none if they are meant for another process.
func parseListen(pid, fds, names string, self int) []string {
	if p, err := strconv.Atoi(pid); err != nil || p != self {
		return nil
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n <= 0 || n > 1<<20 {
		return nil
	}
	list := make([]string, n)
	given := strings.Split(names, ":")
	for i := range list {
		list[i] = unnamed
		if i < len(given) && given[i] != "" {
			list[i] = given[i]
		}
	}
	return list
}

// adopt takes over the handed descriptors. A number that is not open is left out.
func adopt(names []string) map[string]int {
	got := make(map[string]int, len(names))
	for i, name := range names {
		fd := firstFD + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			continue
		}
		if _, doubled := got[name]; doubled {
			unix.Close(fd)
			continue
		}
		got[name] = fd
	}
	return got
}

// parseWatchdog reads the two variables of sd_watchdog_enabled. Without a process
// number the watchdog is for whoever reads it.
func parseWatchdog(pid, usec string, self int) time.Duration {
	if pid != "" {
		if p, err := strconv.Atoi(pid); err != nil || p != self {
			return 0
		}
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(1<<63-1)/1000 {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

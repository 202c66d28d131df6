package process

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseSignal reads an image's STOPSIGNAL: a name with or without SIG, a number, or SIGRTMIN+n. What is
// empty or not understood is SIGTERM, as for the engines that images are made for.
func ParseSignal(s string) unix.Signal {
	name := strings.ToUpper(strings.TrimSpace(s))
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return unix.Signal(n)
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig, ok := realtimeSignal(name); ok {
		return sig
	}
	if sig := otherName(name); sig != 0 {
		return sig
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig
	}
	return unix.SIGTERM
}

// otherName knows second names of signals, which KEP-4960 allows as well. man 7 signal
func otherName(name string) unix.Signal {
	switch name {
	case "SIGCLD":
		return unix.SIGCHLD
	case "SIGIOT":
		return unix.SIGABRT
	case "SIGPOLL":
		return unix.SIGIO
	}
	return 0
}

// realtimeSignal knows SIGRTMIN+n and SIGRTMAX-n, which have no number of their own in man 7 signal. The
// C library keeps 32 and 33 for itself, so SIGRTMIN is 34.
func realtimeSignal(name string) (unix.Signal, bool) {
	const rtmin, rtmax = 34, 64
	for prefix, base := range map[string]int{"SIGRTMIN": rtmin, "SIGRTMAX": rtmax} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(rest)
		if rest != "" && err != nil {
			return 0, false
		}
		if n += base; n < rtmin || n > rtmax {
			return 0, false
		}
		return unix.Signal(n), true
	}
	return 0, false
}

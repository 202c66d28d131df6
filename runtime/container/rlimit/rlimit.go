// Package rlimit has the limits of processes (man 2 getrlimit): as texts, as what this process may give, as what a service
// begins with.
package rlimit

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limit is a limit of a process, of man 2 getrlimit.
type Limit struct {
	Name       string // nofile: RLIMIT_NOFILE
	Soft, Hard uint64
}

// Resource is the kernel's number of the limit.
func (l Limit) Resource() int { return resources[l.Name] }

// unlimited is RLIM_INFINITY.
const unlimited = unix.RLIM_INFINITY

// resources are the kernel's, by name.
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// Parse reads limits written as "1024:524288", soft and hard, or as one number for both; "unlimited" is a number too.
// nofile is always among them, as systemd has it: podd's own is another.
func Parse(texts map[string]string) ([]Limit, error) {
	list := []Limit{{"nofile", 1024, 524288}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if _, known := resources[name]; !known {
			return nil, fmt.Errorf("%q is no resource limit; there are %s", name, strings.Join(slices.Sorted(maps.Keys(resources)), ", "))
		}
		softText, hardText, both := strings.Cut(texts[name], ":")
		soft, err := parseRlimit(softText)
		hard := soft
		if both && err == nil {
			hard, err = parseRlimit(hardText)
		}
		if err != nil || soft > hard {
			return nil, fmt.Errorf("%s cannot be %q: write the soft and the hard limit, such as 1024:524288, or one number for both; unlimited is one too", name, texts[name])
		}
		if name == list[0].Name {
			list[0] = Limit{name, soft, hard}
		} else {
			list = append(list, Limit{name, soft, hard})
		}
	}
	return list, nil
}

func parseRlimit(text string) (uint64, error) {
	if text == "unlimited" {
		return unlimited, nil
	}
	return strconv.ParseUint(text, 10, 63)
}

// Allowed are limits as far as the kernel lets this process give them: it may not exceed its own hard limits without
// CAP_SYS_RESOURCE, nor fs.nr_open with it. lowered names those that are not as they were to be.
func Allowed(list []Limit) (allowed []Limit, lowered []string) {
	for _, l := range list {
		var own unix.Rlimit
		resource := resources[l.Name]
		if unix.Prlimit(0, resource, nil, &own) == nil && l.Hard > own.Max {
			// Asking is trying: the own limit goes up for a moment.
			if unix.Prlimit(0, resource, &unix.Rlimit{Cur: own.Cur, Max: l.Hard}, nil) == nil {
				_ = unix.Prlimit(0, resource, &own, nil)
			} else {
				l.Hard, l.Soft = own.Max, min(l.Soft, own.Max)
				lowered = append(lowered, l.Name)
			}
		}
		allowed = append(allowed, l)
	}
	return allowed, lowered
}

// Reset gives this process the limits with which the kernel and systemd start a service, and so all that it starts,
// whoever has started it. Not that of open files: a daemon needs more than its containers. lowered names those that the
// kernel leaves lower.
func Reset() (lowered []string) {
	const stack, memlock, msgqueue = 8 << 20, 8 << 20, 819200 // linux/resource.h, linux/limits.h
	list := []Limit{
		{"as", unlimited, unlimited},
		{"core", 0, unlimited},
		{"cpu", unlimited, unlimited},
		{"data", unlimited, unlimited},
		{"fsize", unlimited, unlimited},
		{"locks", unlimited, unlimited},
		{"memlock", memlock, memlock},
		{"msgqueue", msgqueue, msgqueue},
		{"nice", 0, 0},
		{"nproc", unlimited, unlimited}, // pids.max limits a pod's; this one counts a user's in all pods
		{"rss", unlimited, unlimited},
		{"rtprio", 0, 0},
		{"rttime", unlimited, unlimited},
		{"stack", stack, unlimited},
	}
	if n := pendingSignals(); n > 0 {
		list = append(list, Limit{"sigpending", n, n})
	}
	list, lowered = Allowed(list)
	for _, l := range list {
		if err := unix.Prlimit(0, resources[l.Name], &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			lowered = append(lowered, l.Name)
		}
	}
	return lowered
}

// pendingSignals is the kernel's default, half as many as there can be threads (kernel/fork.c); 0: it is not known.
func pendingSignals() uint64 {
	text, err := os.ReadFile("/proc/sys/kernel/threads-max")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
	if err != nil {
		return 0
	}
	return n / 2
}

package container

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runc/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Rlimit is a limit of a process, of man 2 getrlimit.
type Rlimit struct {
	Name       string // nofile: RLIMIT_NOFILE
	Soft, Hard uint64
}

// unlimited is RLIM_INFINITY.
const unlimited = unix.RLIM_INFINITY

// rlimits are the kernel's, by name.
var rlimits = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// ParseRlimits reads limits written as "1024:524288", soft and hard, or as one number for both; "unlimited" is a number too.
// nofile is always among them, as systemd has it: podd's own is another.
func ParseRlimits(texts map[string]string) ([]Rlimit, error) {
	list := []Rlimit{{"nofile", 1024, 524288}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if _, known := rlimits[name]; !known {
			return nil, fmt.Errorf("%q is no resource limit; there are %s", name, strings.Join(slices.Sorted(maps.Keys(rlimits)), ", "))
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
			list[0] = Rlimit{name, soft, hard}
		} else {
			list = append(list, Rlimit{name, soft, hard})
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

// AllowedRlimits are limits as far as the kernel lets this process give them: it may not exceed its own hard limits without
// CAP_SYS_RESOURCE, nor fs.nr_open with it. lowered names those that are not as they were to be.
func AllowedRlimits(list []Rlimit) (allowed []Rlimit, lowered []string) {
	for _, l := range list {
		var own unix.Rlimit
		resource := rlimits[l.Name]
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

// ResetRlimits gives this process the limits with which the kernel and systemd start a service, and so all that it starts,
// whoever has started it. Not that of open files: a daemon needs more than its containers. lowered names those that the
// kernel leaves lower.
func ResetRlimits() (lowered []string) {
	const stack, memlock, msgqueue = 8 << 20, 8 << 20, 819200 // linux/resource.h, linux/limits.h
	list := []Rlimit{
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
		list = append(list, Rlimit{"sigpending", n, n})
	}
	list, lowered = AllowedRlimits(list)
	for _, l := range list {
		if err := unix.Prlimit(0, rlimits[l.Name], &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
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

func processRlimits(list []Rlimit) []configs.Rlimit {
	var out []configs.Rlimit
	for _, l := range list {
		out = append(out, configs.Rlimit{Type: rlimits[l.Name], Soft: l.Soft, Hard: l.Hard})
	}
	return out
}

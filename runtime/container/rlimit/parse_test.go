package rlimit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The names and numbers are those of man 2 getrlimit, all sixteen of them.
func TestResources(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7, "memlock": 8, "as": 9,
		"locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15,
	}
	if len(resources) != len(want) {
		t.Errorf("there are %d", len(resources))
	}
	for name, number := range want {
		if got := (Limit{Name: name}).Resource(); got != number {
			t.Errorf("%s is %d, want %d", name, got, number)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const all = "as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack"
	const hint = "write the soft and the hard limit, such as 1024:524288, or one number for both; unlimited is one too"
	for _, tc := range []struct {
		name  string
		texts map[string]string
		want  string
	}{
		{"a name of no limit", map[string]string{"files": "1"}, `"files" is no resource limit; there are ` + all},
		{"the kernel's own name", map[string]string{"RLIMIT_CORE": "1"}, `"RLIMIT_CORE" is no resource limit; there are ` + all},
		{"no name", map[string]string{"": "1"}, `"" is no resource limit; there are ` + all},
		{"the first of two by name", map[string]string{"stack": "x", "core": "y"}, `core cannot be "y": ` + hint},
		{"soft above hard", map[string]string{"core": "2:1"}, `core cannot be "2:1": ` + hint},
		{"soft without end", map[string]string{"core": "unlimited:9223372036854775807"}, `core cannot be "unlimited:9223372036854775807": ` + hint},
		{"above 63 bits", map[string]string{"core": "9223372036854775808"}, `core cannot be "9223372036854775808": ` + hint},
		{"a bad hard limit", map[string]string{"core": "1:x"}, `core cannot be "1:x": ` + hint},
		{"space", map[string]string{"core": " 1"}, `core cannot be " 1": ` + hint},
		{"another word", map[string]string{"core": "infinity"}, `core cannot be "infinity": ` + hint},
	} {
		if got, err := Parse(tc.texts); err == nil || err.Error() != tc.want || got != nil {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}

// Whatever limits are written down are read as they were, sorted by name behind the number of open files.
func TestParseRoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	names := make([]string, 0, len(resources))
	for name := range resources {
		names = append(names, name)
	}
	slices.Sort(names)
	text := func(n uint64) string {
		if n == unlimited {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	for range 500 {
		texts := map[string]string{}
		want := []Limit{{"nofile", 1024, 524288}}
		for _, name := range names {
			if random.IntN(3) == 0 {
				continue
			}
			l := Limit{name, random.Uint64N(1 << 63), unlimited}
			if random.IntN(2) == 0 {
				l.Hard = l.Soft + random.Uint64N(1<<63-l.Soft)
			}
			texts[name] = text(l.Soft) + ":" + text(l.Hard)
			if l.Soft == l.Hard {
				texts[name] = text(l.Soft)
			}
			if name == "nofile" {
				want[0] = l
			} else {
				want = append(want, l)
			}
		}
		if got, err := Parse(texts); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: %v, %v", texts, got, err)
		}
	}
}

// What may be given is given as it is, and nothing is reported of it.
func TestAllowedWithinTheOwn(t *testing.T) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &own); err != nil {
		t.Fatal(err)
	}
	list := []Limit{{"core", 0, 0}, {"core", own.Max, own.Max}, {"nice", 0, 0}}
	if got, lowered := Allowed(list); !slices.Equal(got, list) || lowered != nil {
		t.Errorf("%v, lowered %v", got, lowered)
	}
	if got, lowered := Allowed(nil); got != nil || lowered != nil {
		t.Errorf("of nothing: %v, %v", got, lowered)
	}
}

// resetEnv has a copy of the test do what cannot be undone.
const resetEnv = "PODD_RLIMIT_TEST_RESET"

type resetReport struct {
	Before, After map[string]unix.Rlimit
	Lowered       []string
	First, Twice  bool
}

func limitsNow() map[string]unix.Rlimit {
	all := map[string]unix.Rlimit{}
	for name, resource := range resources {
		var l unix.Rlimit
		if err := unix.Getrlimit(resource, &l); err == nil {
			all[name] = l
		}
	}
	return all
}

// The numbers are the kernel's (include/asm-generic/resource.h, include/uapi/linux/resource.h) and systemd's: a service that a
// shell with other limits has started has the same as one that the machine has.
func TestReset(t *testing.T) {
	if os.Getenv(resetEnv) != "" {
		for resource, l := range map[int]unix.Rlimit{
			unix.RLIMIT_CORE: {Cur: 1, Max: 4096}, unix.RLIMIT_STACK: {Cur: 1 << 20, Max: 64 << 20}, unix.RLIMIT_CPU: {Cur: 1000, Max: unlimited}, unix.RLIMIT_NOFILE: {Cur: 100, Max: 200},
		} {
			_ = unix.Setrlimit(resource, &l)
		}
		for name, l := range limitsNow() { // each is another than a service's
			if l.Cur = l.Max / 2; l.Max == unlimited {
				l.Cur = 1 << 40
			}
			if name != "nofile" && name != "stack" && name != "cpu" && name != "core" {
				_ = unix.Setrlimit(resources[name], &l)
			}
		}
		r := resetReport{Before: limitsNow()}
		r.Lowered = Reset()
		r.After = limitsNow()
		again := Reset()
		r.Twice = fmt.Sprint(limitsNow()) == fmt.Sprint(r.After) && slices.Equal(again, r.Lowered)
		data, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		fmt.Printf("\n%s\n", data)
		os.Exit(0)
	}
	t.Parallel()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestReset$")
	cmd.Env = append(os.Environ(), resetEnv+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var r resetReport
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if !r.Twice {
		t.Error("a second time something else comes of it")
	}
	if r.After["nofile"] != r.Before["nofile"] || r.After["nofile"].Cur != 100 {
		t.Errorf("open files are the daemon's own: %v, were %v", r.After["nofile"], r.Before["nofile"])
	}
	for name, want := range map[string]unix.Rlimit{
		"as": {Cur: unlimited, Max: unlimited}, "core": {Cur: 0, Max: unlimited}, "cpu": {Cur: unlimited, Max: unlimited}, "data": {Cur: unlimited, Max: unlimited},
		"fsize": {Cur: unlimited, Max: unlimited}, "locks": {Cur: unlimited, Max: unlimited}, "memlock": {Cur: 8 << 20, Max: 8 << 20}, "msgqueue": {Cur: 819200, Max: 819200},
		"nice": {}, "nproc": {Cur: unlimited, Max: unlimited}, "rss": {Cur: unlimited, Max: unlimited}, "rtprio": {}, "rttime": {Cur: unlimited, Max: unlimited},
		"stack": {Cur: 8 << 20, Max: unlimited}, "sigpending": {Cur: pendingSignals(), Max: pendingSignals()},
	} {
		if slices.Contains(r.Lowered, name) { // without CAP_SYS_RESOURCE
			want = unix.Rlimit{Cur: min(want.Cur, r.Before[name].Max), Max: r.Before[name].Max}
		}
		if r.After[name] != want {
			t.Errorf("%s is %+v, want %+v; it was %+v, lowered are %v", name, r.After[name], want, r.Before[name], r.Lowered)
		}
	}
	if may := r.After["core"].Max == unlimited; may == slices.Contains(r.Lowered, "core") {
		t.Errorf("core has the hard limit %d, and lowered are %v", r.After["core"].Max, r.Lowered)
	}
}

// kernel/fork.c: half of what there can be of threads.
func TestPendingSignals(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/proc/sys/kernel/threads-max")
	if err != nil {
		t.Skip(err)
	}
	threads, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if got := pendingSignals(); err != nil || got != threads/2 || got == 0 {
		t.Errorf("%d of %d threads, %v", got, threads, err)
	}
}

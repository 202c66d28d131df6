package process

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSignal(t *testing.T) {
	for in, want := range map[string]unix.Signal{
		"": unix.SIGTERM, "SIGQUIT": unix.SIGQUIT, "quit": unix.SIGQUIT, "3": unix.SIGQUIT, "SIGRTMIN+3": 37, "RTMIN+3": 37, "SIGRTMAX-1": 63,
		"SIGCLD": unix.SIGCHLD, "SIGIOT": unix.SIGABRT, "SIGPOLL": unix.SIGIO, "SIGRTMIN+99": unix.SIGTERM, "nonsense": unix.SIGTERM, "0": unix.SIGTERM, "65": unix.SIGTERM,
	} {
		if got := ParseSignal(in); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}

func TestParseWaitStatus(t *testing.T) {
	for in, want := range map[uint32]ExitStatus{0: {}, 0x2a00: {Code: 42}, 9: {Code: 137, Signal: 9}, 0x8b: {Code: 139, Signal: 11}} {
		if got := ParseWaitStatus(in); got != want {
			t.Errorf("%#x: got %+v, want %+v", in, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	line := "7 (a) b (c) Z 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 10752\n"
	got, err := parseStat(line)
	if err != nil || got != (Stat{State: 'Z', Parent: 1, session: 7, Name: "a) b (c", Flags: 4, startTime: 12345, exitCode: 0x2a00}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "7", "7 (x) R 1 2", "7 (x"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (x) Z 1")
	f.Fuzz(func(_ *testing.T, line string) { _, _ = parseStat(line) })
}

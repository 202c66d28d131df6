package process

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Every name that Linux has is read with and without SIG, large and small, with space around it, and as its number.
func TestParseEverySignal(t *testing.T) {
	t.Parallel()
	for n := unix.Signal(1); n < 32; n++ {
		name := unix.SignalName(n)
		if name == "" {
			t.Fatalf("signal %d has no name", n)
		}
		bare := strings.TrimPrefix(name, "SIG")
		for _, text := range []string{name, bare, strings.ToLower(name), strings.ToLower(bare), " " + name + "\n", fmt.Sprint(int(n))} {
			if got := ParseSignal(text); got != n {
				t.Errorf("%q is %d, want %d", text, got, n)
			}
		}
	}
	for n := 34; n <= 64; n++ { // man 7 signal: the C library keeps 32 and 33
		for _, text := range []string{fmt.Sprintf("SIGRTMIN+%d", n-34), fmt.Sprintf("rtmax-%d", 64-n), fmt.Sprint(n)} {
			if got := ParseSignal(text); int(got) != n {
				t.Errorf("%q is %d, want %d", text, got, n)
			}
		}
	}
	if ParseSignal("SIGRTMIN") != 34 || ParseSignal("RTMAX") != 64 {
		t.Errorf("without a number %d and %d", ParseSignal("SIGRTMIN"), ParseSignal("RTMAX"))
	}
	for _, text := range []string{"SIGRTMIN-1", "SIGRTMAX+1", "SIGRTMIN+31", "SIGRTMIN+", "SIGRTMIN+x", "SIGRTMINUTE", "-9", "9.0", "SIG9", "SIG", "SIGSIGTERM", "18446744073709551625"} {
		if got := ParseSignal(text); got != unix.SIGTERM {
			t.Errorf("%q is %d, want SIGTERM", text, got)
		}
	}
}

// wait(2): the low seven bits are the signal, the eighth says that a core was dumped, the next eight are the exit code.
func TestEveryWaitStatus(t *testing.T) {
	t.Parallel()
	for code := range uint32(256) {
		if got := ParseWaitStatus(code << 8); got != (ExitStatus{Code: int(code)}) {
			t.Errorf("exit %d: %+v", code, got)
		}
	}
	for sig := uint32(1); sig <= 64; sig++ {
		for _, core := range []uint32{0, 0x80} {
			if got := ParseWaitStatus(sig | core); got != (ExitStatus{Code: 128 + int(sig), Signal: int(sig)}) {
				t.Errorf("signal %d, core %#x: %+v", sig, core, got)
			}
		}
	}
}

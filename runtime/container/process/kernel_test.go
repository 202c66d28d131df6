package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"podd/netns/nstest"
)

// child is a process of the test, its input, its output and its start.
func child(t *testing.T, script string) (*exec.Cmd, io.WriteCloser, io.Reader, Stat) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	stat, err := ReadStat("/proc", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, stdin, stdout, stat
}

const forever = "read line" // until the test closes its end

// opened is a child, with its input and its pidfd.
func opened(t *testing.T, script string) (pid int, start uint64, stdin io.Closer, pidfd *os.File) {
	t.Helper()
	cmd, stdin, _, stat := child(t, script)
	pidfd = Open(cmd.Process.Pid, stat.startTime)
	if pidfd == nil {
		t.Fatal("a process that runs was not opened")
	}
	t.Cleanup(func() { _ = pidfd.Close() })
	return cmd.Process.Pid, stat.startTime, stdin, pidfd
}

// waitDead blocks until the process behind a pidfd is dead.
func waitDead(t *testing.T, pidfd *os.File) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 20_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 {
			t.Fatalf("it still runs: %v", err)
		}
		return
	}
}

// A number alone names nobody: only with the time of its start does it name a process, and only while that lives.
func TestOpen(t *testing.T) {
	t.Parallel()
	pid, start, stdin, f := opened(t, forever)
	if alive, err := Alive(int(f.Fd())); !alive || err != nil {
		t.Errorf("it runs: %v, %v", alive, err)
	}
	for name, ref := range map[string]Ref{
		"another start": {pid, start + 1}, "an earlier start": {pid, start - 1}, "none": {0, start}, "negative": {-pid, start}, "beyond all": {1 << 30, 0},
	} {
		if f := Open(ref.PID, ref.StartTime); f != nil {
			t.Errorf("%s was opened", name)
			_ = f.Close()
		}
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	waitDead(t, f)
	if alive, err := Alive(int(f.Fd())); alive || err != nil {
		t.Errorf("it is dead: %v, %v", alive, err)
	}
	if zombie := Open(pid, start); zombie != nil {
		t.Error("a zombie was opened")
		_ = zombie.Close()
	}
}

// Who has a number now is not who had it then: only with the time of its start is a process killed.
func TestKillRef(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		start int64 // later than its own
		want  ExitStatus
	}{
		{"its own start", 0, ExitStatus{Code: 137, Signal: 9}}, {"an earlier start", -1, ExitStatus{Code: 42}}, {"a later start", 1, ExitStatus{Code: 42}},
	} {
		pid, start, stdin, f := opened(t, "read line; exit 42")
		if err := (Ref{pid, uint64(int64(start) + tc.start)}).Kill(); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err := stdin.Close(); err != nil {
			t.Fatal(err)
		}
		waitDead(t, f)
		if status, err := Reap(pid, start, int(f.Fd())); err != nil || status != tc.want {
			t.Errorf("%s: it ended with %+v, %v", tc.name, status, err)
		}
		for range 2 { // what is gone is killed
			if err := (Ref{pid, start}).Kill(); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	}
}

// The status of a child comes from the kernel, once; of one that runs there is none.
func TestReapChild(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]ExitStatus{
		"read line; exit 0": {}, "read line; exit 42": {Code: 42}, "read line; exit 255": {Code: 255}, "read line; kill -TERM $$": {Code: 143, Signal: 15},
	} {
		pid, start, stdin, f := opened(t, script)
		if status, err := Reap(pid, start, int(f.Fd())); err == nil || err.Error() != fmt.Sprintf("process %d has not ended", pid) {
			t.Errorf("%s: while it runs %+v, %v", script, status, err)
		}
		if got, err := TryWait(pid, new(unix.WaitStatus)); got != 0 || err != nil {
			t.Errorf("%s: while it runs %d, %v", script, got, err)
		}
		if err := stdin.Close(); err != nil {
			t.Fatal(err)
		}
		waitDead(t, f)
		if status, err := Reap(pid, start, int(f.Fd())); err != nil || status != want {
			t.Errorf("%s: %+v, %v; want %+v", script, status, err, want)
		}
		if _, err := TryWait(pid, new(unix.WaitStatus)); !errors.Is(err, unix.ECHILD) {
			t.Errorf("%s: reaped twice: %v", script, err)
		}
		if status, err := Reap(pid, start, -1); !errors.Is(err, ErrStatusUnknown) {
			t.Errorf("%s: nobody has it any more: %+v, %v", script, status, err)
		}
	}
}

// A process of others has its status in /proc while it is a zombie, and nobody else's number passes for it.
func TestReapZombieOfOthers(t *testing.T) {
	t.Parallel()
	// The shell becomes a program that does not wait for what it has started, which ends after that.
	shell, stdin, stdout, _ := child(t, `exec 3<&0; sh -c 'read line <&3; exit 7' & echo $!; exec sleep 600`)
	text, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	nstest.Eventually(t, "the shell is another program", func() bool {
		stat, err := ReadStat("/proc", shell.Process.Pid)
		return err == nil && stat.Name == "sleep"
	})
	if _, err := io.WriteString(stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	waitDead(t, pidfd)
	stat, err := ReadStat("/proc", pid)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := Reap(pid, stat.startTime, -1); err != nil || status != (ExitStatus{Code: 7}) {
		t.Errorf("%+v, %v", status, err)
	}
	if status, err := Reap(pid, stat.startTime+1, -1); !errors.Is(err, ErrStatusUnknown) {
		t.Errorf("another start: %+v, %v", status, err)
	}
}

// statLine is a line of man 5 proc_pid_stat with one field set to something else.
func statLine(set int, value string) string {
	fields := strings.Fields("7 (x) Z 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 10752")
	fields[set-1] = value
	return strings.Join(fields, " ")
}

func TestDamagedStat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		field int
		bad   []string
		want  string
	}{
		{4, []string{"x", "", "1.0"}, "cannot parse parent: "},
		{6, []string{"x", "99999999999999999999"}, "cannot parse session: "},
		{9, []string{"x", "-1"}, "cannot parse flags: "},
		{22, []string{"x", "-1", "18446744073709551616"}, "cannot parse start time: "},
		{52, []string{"x", "-1", "4294967296"}, "cannot parse exit status: "},
	} {
		for _, bad := range tc.bad {
			want := tc.want
			if bad == "" {
				want = "cannot parse process status " // a field is missing
			}
			if _, err := parseStat(statLine(tc.field, bad)); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("field %d %q: %v", tc.field, bad, err)
			}
		}
	}
	// More fields than this kernel has are none of ours.
	if got, err := parseStat(statLine(2, "(x)") + " 1 2 3"); err != nil || got.exitCode != 10752 {
		t.Errorf("a newer kernel: %+v, %v", got, err)
	}
	if got, err := parseStat(statLine(2, "((sd-pam))")); err != nil || got.Name != "(sd-pam)" {
		t.Errorf("brackets: %+v, %v", got, err)
	}
}

func TestReadZombie(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	for pid, line := range map[string]string{"7": statLine(3, "Z"), "8": statLine(3, "S"), "9": "damaged"} {
		if err := os.Mkdir(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "stat"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name  string
		pid   int
		start uint64
		want  uint32
		ok    bool
	}{
		{"a zombie", 7, 12345, 10752, true},
		{"another start", 7, 12344, 0, false},
		{"it lives", 8, 12345, 0, false},
		{"damaged", 9, 12345, 0, false},
		{"gone", 10, 12345, 0, false},
	} {
		if got, ok := readZombie(proc, tc.pid, tc.start); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %d, %t", tc.name, got, ok)
		}
	}
	// Parents that go round in a circle end nowhere.
	for pid, parent := range map[string]string{"20": "21", "21": "20"} {
		if err := os.Mkdir(filepath.Join(proc, pid), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "stat"), []byte(strings.Replace(statLine(4, parent), " 7 7 ", " 9 9 ", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := Descendants(proc, []int{20, 21}, 99); len(got) != 0 {
		t.Errorf("descendants of nobody: %v", got)
	}
	if got := Descendants(proc, nil, 1); len(got) != 0 {
		t.Errorf("of no processes: %v", got)
	}
}

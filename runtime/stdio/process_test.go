package stdio

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
	"podd/runtime/container/process"
)

// child starts a shell that is the container's process: it ends as the script says once its stdin is closed.
func (b *bench) child(script string) (p *container.Process, end func()) {
	b.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "read line; "+script)
	in, err := cmd.StdinPipe()
	b.must(err)
	b.must(cmd.Start())
	fd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	b.must(err)
	b.t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	return &container.Process{PID: cmd.Process.Pid, StartTime: startOf(b.t, cmd.Process.Pid), PIDFD: container.NewFile(fd, "pidfd")}, func() { _ = in.Close() }
}

// The end of a process is seen once, with its status, and nothing of it stays.
func TestEndOfAProcess(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		want   process.ExitStatus
	}{
		"well":          {"exit 0", process.ExitStatus{}},
		"badly":         {"exit 42", process.ExitStatus{Code: 42}},
		"by itself":     {"kill -KILL $$", process.ExitStatus{Code: 137, Signal: 9}},
		"by its signal": {"kill -TERM $$", process.ExitStatus{Code: 143, Signal: 15}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, false)
			p, end := b.child(tc.script)
			b.must(b.io.Hold(p))
			if !b.shelf.has("c" + fdProcess) {
				t.Error("the process is not kept for the next daemon")
			}
			if b.io.Watched() || b.io.Ended() {
				t.Errorf("before it is watched: watched %t, ended %t", b.io.Watched(), b.io.Ended())
			}
			var ends atomic.Int32
			b.must(b.io.WatchExit(func() { ends.Add(1) }))
			if !b.io.Watched() || b.io.Ended() {
				t.Errorf("while it runs: watched %t, ended %t", b.io.Watched(), b.io.Ended())
			}
			if _, err := b.io.ExitStatus(p.PID, p.StartTime); err == nil {
				t.Error("a process that runs has an exit status")
			}
			end()
			b.until(func() bool { return ends.Load() > 0 })
			if got, err := b.io.ExitStatus(p.PID, p.StartTime); err != nil || got != tc.want || !b.io.Ended() {
				t.Errorf("it ended with %+v, %v", got, err)
			}
			b.must(b.io.Finish())
			b.must(b.io.Finish())
			if n := ends.Load(); n != 1 || b.shelf.has("c"+fdProcess) {
				t.Errorf("%d ends were told of; the store has it still: %t", n, b.shelf.has("c"+fdProcess))
			}
			select {
			case <-b.io.Done():
			default:
				t.Error("the log is not complete")
			}
		})
	}
}

// A signal reaches a process that runs, and is no error to one that has gone.
func TestSignals(t *testing.T) {
	b := newBench(t, false)
	b.must(b.io.Signal(unix.SIGTERM)) // no process is held yet
	p, _ := b.child("exit 0")
	b.must(b.io.Hold(p))
	b.must(b.io.Signal(0))
	if err := b.io.Signal(unix.Signal(500)); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a signal that is none: %v", err)
	}
	b.must(b.io.Signal(unix.SIGKILL))
	b.until(b.io.Ended)
	b.must(b.io.Signal(unix.SIGTERM)) // a zombie
	if got, err := b.io.ExitStatus(p.PID, p.StartTime); err != nil || got.Signal != 9 {
		t.Errorf("it ended with %+v, %v", got, err)
	}
	b.must(b.io.Signal(unix.SIGTERM)) // its number is free
	b.must(b.io.Finish())
	b.must(b.io.Signal(unix.SIGTERM)) // its descriptor is closed
}

// What the process wrote last is in the log, however late the pipes are looked at.
func TestFinishWritesTheRest(t *testing.T) {
	b := newBench(t, false)
	b.must(b.hub.Reactor.Close()) // nobody looks at them meanwhile
	out, errs := b.open("stdout", unix.O_WRONLY), b.open("stderr", unix.O_WRONLY)
	write(t, out, strings.Repeat("line of stdout\n", 1000))
	write(t, errs, "the last line, without an end")
	b.must(b.io.Finish())
	data, err := os.ReadFile(filepath.Join(b.dir, "0.log"))
	b.must(err)
	if n := strings.Count(string(data), "stdout F line of stdout\n"); n != 1000 || !strings.Contains(string(data), "stderr P the last line, without an end") && !strings.Contains(string(data), "stderr F the last line, without an end") {
		t.Errorf("%d lines, of %d bytes", n, len(data))
	}
	if b.shelf.has("c"+fdStdout) || b.shelf.has("c"+fdStderr) {
		t.Error("the store has the pipes still")
	}
}

// An attempt whose log cannot be followed is watched, stopped and finished as any other.
func TestUnlogged(t *testing.T) {
	b := newBench(t, false)
	l := b.hub.NewUnlogged("u")
	b.must(l.Signal(unix.SIGTERM))
	if l.Ended() || l.Watched() {
		t.Error("without a process it has ended or is watched")
	}
	p, end := b.child("exit 3")
	b.must(l.Hold(p))
	ended := make(chan struct{})
	b.must(l.WatchExit(func() { close(ended) }))
	end()
	<-ended
	if got, err := l.ExitStatus(p.PID, p.StartTime); err != nil || got.Code != 3 {
		t.Errorf("it ended with %+v, %v", got, err)
	}
	b.must(l.Finish())
	<-l.Done()
	if b.shelf.has("u" + fdProcess) {
		t.Error("the store has the process still")
	}
}

// A process of an earlier daemon is found in the store, or by its number and the moment of its start, and by no number alone.
func TestAdoptProcess(t *testing.T) {
	for name, tc := range map[string]struct {
		forget  bool // by the store
		startBy uint64
		ends    bool
		want    bool
	}{
		"in the store":                  {want: true},
		"in the store, and it is over":  {ends: true, want: true}, // what came of it is to be asked for yet
		"by its number":                 {forget: true, want: true},
		"by the number of a later one":  {forget: true, startBy: 1},
		"by its number, and it is over": {forget: true, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, false)
			b.hub.engine.StateDir = filepath.Join(b.dir, "state")
			p, end := b.child("exit 5")
			b.must(b.io.Hold(p))
			if tc.forget {
				b.must(b.shelf.Remove("c" + fdProcess))
			}
			state := b.hub.engine
			b.restart()
			b.hub.engine.StateDir = state.StateDir
			if tc.ends {
				end()
				b.until(func() bool { alive, err := process.Alive(int(p.PIDFD.Fd())); return err == nil && !alive })
				if tc.forget {
					_, err := b.io.ExitStatus(p.PID, p.StartTime) // somebody has reaped it
					b.must(err)
				}
			}
			running, err := b.io.AdoptProcess(p.PID, p.StartTime+tc.startBy)
			if err != nil || running != tc.want {
				t.Fatalf("running %t, %v", running, err)
			}
			if !running {
				b.must(b.io.Finish())
				return
			}
			if !b.shelf.has("c" + fdProcess) {
				t.Error("it is not kept for the next daemon")
			}
			if again, err := b.io.AdoptProcess(0, 0); !again || err != nil {
				t.Errorf("a second time: %t, %v", again, err)
			}
			ended := make(chan struct{})
			b.must(b.io.WatchExit(func() { close(ended) }))
			end()
			<-ended
			if got, err := b.io.ExitStatus(p.PID, p.StartTime); err != nil || got.Code != 5 {
				t.Errorf("it ended with %+v, %v", got, err)
			}
			b.must(b.io.Finish())
		})
	}
}

// What an earlier daemon has left and nothing claims is closed, but for what may be claimed yet.
func TestDropUnclaimed(t *testing.T) {
	b := newBench(t, false)
	for _, name := range []string{"x.out", "x.pid", "y.out"} {
		r, w, err := os.Pipe()
		b.must(err)
		b.must(b.shelf.Put(name, int(r.Fd())))
		_, _ = r.Close(), w.Close()
	}
	b.hub.Receive()
	b.hub.DropUnclaimed(func(name string) bool { return !strings.HasPrefix(name, "x") })
	if b.shelf.has("x.out") || b.shelf.has("x.pid") || !b.shelf.has("y.out") || !b.shelf.has("c"+fdStdout) {
		t.Errorf("the store has %v", b.shelf.fds)
	}
	if f, ok := b.hub.claim("y.out"); !ok {
		t.Error("what was kept cannot be claimed")
	} else {
		_ = f.Close()
	}
	if _, ok := b.hub.claim("y.out"); ok {
		t.Error("it can be claimed twice")
	}
	b.hub.DropUnclaimed(nil)
	if len(b.hub.received) != 0 {
		t.Errorf("left: %v", b.hub.received)
	}
}

// events tells of ends as the test says, until its context is over.
type events struct {
	mu      sync.Mutex
	fn      func(pid int, status uint32)
	pids    []int
	stopped chan struct{}
	fails   error
}

func (e *events) listen(ctx context.Context, fn func(pid int, status uint32), pids ...int) error {
	e.mu.Lock()
	e.fn, e.pids = fn, pids
	e.mu.Unlock()
	if e.fails != nil {
		return e.fails
	}
	<-ctx.Done()
	close(e.stopped)
	return nil
}

func (e *events) tell(t *testing.T, pid int, status uint32) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		fn := e.fn
		e.mu.Unlock()
		if fn != nil {
			fn(pid, status)
			return
		}
		if time.Now().After(end) {
			t.Fatal("nobody listens")
		}
	}
}

// Statuses of processes that are nobody's children come by events: before they are asked for, meanwhile, or never.
func TestExitStatusesByEvents(t *testing.T) {
	var s exitStatuses
	if _, err := s.take(1); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("before anything is awaited: %v", err)
	}
	s.forget(1)
	e := &events{stopped: make(chan struct{})}
	s.await([]int{10, 11, 12}, e.listen, func(err error) { t.Errorf("listening failed: %v", err) })
	e.tell(t, 10, 3<<8)
	e.tell(t, 99, 1<<8) // of nobody's concern
	if got, err := s.take(10); err != nil || got.Code != 3 {
		t.Errorf("told before: %+v, %v", got, err)
	}
	if _, err := s.take(10); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := s.take(99); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("one that nobody awaits: %v", err)
	}
	asked := make(chan process.ExitStatus)
	go func() {
		got, err := s.take(11)
		if err != nil {
			t.Error(err)
		}
		asked <- got
	}()
	e.tell(t, 11, 9) // SIGKILL
	if got := <-asked; got.Signal != 9 || got.Code != 137 {
		t.Errorf("told meanwhile: %+v", got)
	}
	select {
	case <-e.stopped:
		t.Error("nobody listens while one is awaited")
	default:
	}
	if _, err := s.take(12); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("never told: %v", err)
	}
	<-e.stopped
	e.tell(t, 12, 0) // too late, and no harm
	if _, err := s.take(12); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("told too late: %v", err)
	}
}

func TestExitEventsThatFail(t *testing.T) {
	var s exitStatuses
	failed := make(chan error, 1)
	broken := errors.New("no connector")
	s.await(nil, (&events{fails: broken}).listen, func(err error) { failed <- err })
	if len(failed) != 0 {
		t.Error("it was listened for nobody")
	}
	s.await([]int{7}, (&events{fails: broken}).listen, func(err error) { failed <- err })
	if err := <-failed; !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := s.take(7); !errors.Is(err, process.ErrStatusUnknown) {
		t.Errorf("error %v", err)
	}
}

func TestParseRelease(t *testing.T) {
	for text, want := range map[string][2]int{
		"6.15.0": {6, 15}, "6.1.0-18-arm64": {6, 1}, "5.10.110-rockchip-rk3588": {5, 10}, "7.0-rc1": {7, 0}, "6.18.44-fc-v657": {6, 18}, "v6.2": {6, 2},
	} {
		if major, minor, err := parseRelease(text); err != nil || [2]int{major, minor} != want {
			t.Errorf("%q: %d.%d, %v", text, major, minor, err)
		}
	}
	for _, text := range []string{"", "6", "linux", "99999999999999999999.1"} {
		if major, minor, err := parseRelease(text); err == nil {
			t.Errorf("%q: %d.%d", text, major, minor)
		}
	}
}

// What a command's pipes hold when it has ended reaches the client, also if a child of it keeps them open for ever.
func TestPipesOfACommand(t *testing.T) {
	for name, stays := range map[string]bool{"it closes them": false, "a child keeps them": true} {
		t.Run(name, func(t *testing.T) {
			var p pipes
			var got strings.Builder
			w, err := p.output(&got)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			command := os.NewFile(uintptr(theirs), "command")
			p.started()
			if _, err := w.Write([]byte("x")); err == nil {
				t.Error("podd has the command's end open")
			}
			write(t, command, strings.Repeat("word ", 1000))
			if !stays {
				_ = command.Close()
			}
			p.finish()
			if want := strings.Repeat("word ", 1000); got.String() != want {
				t.Errorf("%d bytes, want %d", got.Len(), len(want))
			}
			p.close()
			if stays {
				if _, err := command.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
					t.Errorf("somebody reads still: %v", err)
				}
				_ = command.Close()
			}
		})
	}
}

// A command reads all of its stdin, and then its end.
func TestStdinOfACommand(t *testing.T) {
	var p pipes
	defer p.close()
	r, err := p.input(strings.NewReader("all of it"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "all of it" {
		t.Errorf("%q, %v", data, err)
	}
}

// A program that cannot be run is told of as a shell does, on whichever stream the client has.
func TestCannotRun(t *testing.T) {
	program := &container.ProgramError{Text: "sh: not found", Code: 127}
	for name, tc := range map[string]struct {
		out, err bool
	}{"stderr": {err: true}, "both": {true, true}, "stdout alone": {out: true}, "none": {}} {
		var out, errs strings.Builder
		s := Streams{}
		if tc.out {
			s.Stdout = &out
		}
		if tc.err {
			s.Stderr = &errs
		}
		code, err := s.cannotRun(program)
		if code != 127 || err != nil {
			t.Errorf("%s: %d, %v", name, code, err)
		}
		if want := "sh: not found\n"; tc.err && errs.String() != want || tc.err && out.String() != "" || tc.out && !tc.err && out.String() != want {
			t.Errorf("%s: %q and %q", name, out.String(), errs.String())
		}
	}
	other := errors.New("no cgroup")
	if code, err := (&Streams{}).cannotRun(other); code != 0 || !errors.Is(err, other) {
		t.Errorf("another error: %d, %v", code, err)
	}
}

// The reactor calls a handler until it says that it is done, never two at a time, and none after Remove.
func TestReactor(t *testing.T) {
	r, err := newReactor()
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- r.Run() }()
	pipe := func() (in, out *os.File) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = in.Close(), out.Close() })
		return in, out
	}
	in, out := pipe()
	var calls, running atomic.Int32
	handle := func(f *os.File, done bool) func() bool {
		return func() bool {
			if running.Add(1) != 1 {
				t.Error("two handlers run at a time")
			}
			defer running.Add(-1)
			buf := make([]byte, 1)
			_, _ = unix.Read(int(f.Fd()), buf)
			calls.Add(1)
			return done
		}
	}
	id, err := r.Add(int(in.Fd()), handle(in, false))
	if err != nil {
		t.Fatal(err)
	}
	in2, out2 := pipe()
	once, err := r.Add(int(in2.Fd()), handle(in2, true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(int(in.Fd()), handle(in, false)); !errors.Is(err, unix.EEXIST) {
		t.Errorf("one descriptor twice: %v", err)
	}
	if _, err := r.Add(-1, handle(in, false)); !errors.Is(err, unix.EBADF) {
		t.Errorf("no descriptor: %v", err)
	}
	wait := func(n int32) {
		t.Helper()
		for end := time.Now().Add(limit); calls.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d calls, want %d", calls.Load(), n)
			}
		}
	}
	write(t, out, "ab")
	write(t, out2, "cd") // its handler is called once, though there is more
	wait(3)
	r.Remove(once)
	r.Remove(id)
	r.Remove(id)
	r.Remove(12345)
	write(t, out, "e")
	in3, out3 := pipe()
	if _, err := r.Add(int(in3.Fd()), handle(in3, true)); err != nil {
		t.Fatal(err)
	}
	write(t, out3, "f")
	wait(4)
	if n := calls.Load(); n != 4 {
		t.Errorf("%d calls", n)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// startOf is when a process began: /proc/PID/stat, field 22.
func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	at, err := strconv.ParseUint(strings.Fields(rest)[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

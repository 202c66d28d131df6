package stdio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
)

// limit is how long a test waits for what is to happen at once.
const limit = 20 * time.Second

// shelf is a descriptor store in memory.
type shelf struct {
	mu  sync.Mutex
	fds map[string]int
}

func (s *shelf) Available() bool { return true }

func (s *shelf) Received() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string]int{}
	for name, fd := range s.fds {
		got[name], _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	}
	return got
}

func (s *shelf) Put(name string, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	s.fds[name] = own
	return err
}

func (s *shelf) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fd, ok := s.fds[name]; ok {
		unix.Close(fd)
		delete(s.fds, name)
	}
	return nil
}

func (s *shelf) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, has := s.fds[name]
	return has
}

// bench is a hub and one container, whose process is the test.
type bench struct {
	t     *testing.T
	dir   string
	shelf *shelf
	hub   *Hub
	io    *ContainerIO
	// journal is the socket of one; "": none is there.
	journal string
	streams map[string]*os.File
}

func newBench(t *testing.T, stdinEnds bool) *bench {
	b := &bench{t: t, dir: t.TempDir(), shelf: &shelf{fds: map[string]int{}}}
	b.hub = b.newHub()
	l, err := b.hub.Open("c", b.log(), stdinEnds)
	b.must(err)
	b.io = l
	t.Cleanup(func() { b.io.Finish() })
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) log() Log {
	return Log{Path: filepath.Join(b.dir, "0.log"), Fields: []JournalField{{"POD_NAME", "web"}, {"CONTAINER_NAME", "main"}}}
}

func (b *bench) newHub() *Hub {
	hub, err := NewHub(&container.Engine{IODir: filepath.Join(b.dir, "io")}, b.shelf, slog.New(slog.DiscardHandler))
	b.must(err)
	hub.journal.Path = b.journal
	go func() { _ = hub.Reactor.Run() }()
	b.t.Cleanup(func() { _ = hub.Reactor.Close() })
	return hub
}

// restart is another daemon in the place of this one.
func (b *bench) restart() {
	b.must(b.hub.Reactor.Close())
	b.io.sink.Suspend()
	b.io.journal.stop()
	b.io.clients.mu.Lock()
	if b.io.clients.stdin != nil {
		b.io.clients.stdin.Close()
	}
	b.io.clients.mu.Unlock()
	if t := b.io.terminal; t != nil {
		b.must(errors.Join(t.master.Close(), t.slave.Close(), t.output.Close()))
	}
	for _, s := range b.io.streams {
		b.must(s.file.Close())
	}
	b.hub = b.newHub()
	b.hub.Receive()
	l, stored, err := b.hub.Adopt("c", b.log())
	b.must(err)
	if !stored {
		b.t.Fatal("the pipes are not in the store")
	}
	b.io = l
}

// open opens the container's end of a FIFO.
func (b *bench) open(name string, flags int) *os.File {
	b.t.Helper()
	fd, err := unix.Open(filepath.Join(b.dir, "io", "c", name), flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	b.must(err)
	f := os.NewFile(uintptr(fd), name)
	b.t.Cleanup(func() { f.Close() })
	b.must(f.SetDeadline(time.Now().Add(limit)))
	return f
}

// pending is how much can be read from a pipe.
func pending(f *os.File) (n int) {
	conn, err := f.SyscallConn()
	if err == nil {
		_ = conn.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return n
}

// guest is a client that is attached.
type guest struct {
	t              *testing.T
	stdout, stderr seen
	stdin          *io.PipeWriter
	leave          context.CancelFunc
	ended          chan error
}

// seen is what a client has read.
type seen struct {
	mu   sync.Mutex
	b    bytes.Buffer
	hold chan struct{} // nothing is read until it is closed; nil: at once
}

func (s *seen) Write(p []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (b *bench) attach(a Attachment, hold chan struct{}) *guest {
	g := &guest{t: b.t, ended: make(chan error, 1)}
	g.stdout.hold = hold
	var ctx context.Context
	ctx, g.leave = context.WithCancel(b.t.Context())
	a.Stdout, a.Stderr = &g.stdout, &g.stderr
	r, w := io.Pipe()
	a.Stdin, g.stdin = r, w
	l := b.io
	before := l.clients.count()
	go func() { g.ended <- l.Attach(ctx, a) }()
	b.until(func() bool { return l.clients.count() > before })
	context.AfterFunc(ctx, func() { w.Close() })
	return g
}

func (c *clients) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

func (b *bench) until(done func() bool) {
	b.t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("it does not come")
		}
	}
}

func (b *bench) sees(s *seen, want string) {
	b.t.Helper()
	for end := time.Now().Add(limit); s.String() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("saw %q, not %q", s, want)
		}
	}
}

func (g *guest) end() error {
	g.t.Helper()
	select {
	case err := <-g.ended:
		return err
	case <-time.After(limit):
		g.t.Fatal("the session does not end")
		return nil
	}
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// All clients see all output, from when they came, each stream for itself; the log has it too. The end of the container ends
// their sessions.
func TestAttachOutput(t *testing.T) {
	b := newBench(t, false)
	stdout, stderr := b.open("stdout", unix.O_WRONLY), b.open("stderr", unix.O_WRONLY)
	first := b.attach(Attachment{}, nil)
	write(t, stdout, "one\n")
	b.sees(&first.stdout, "one\n")
	second := b.attach(Attachment{}, nil)
	write(t, stderr, "prompt> ")
	write(t, stdout, "two\n")
	for _, g := range []*guest{first, second} {
		b.sees(&g.stderr, "prompt> ")
	}
	b.sees(&first.stdout, "one\ntwo\n")
	b.sees(&second.stdout, "two\n")
	second.leave()
	if err := second.end(); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that went: %v", err)
	}
	write(t, stdout, "last")
	stdout.Close()
	stderr.Close()
	b.must(b.io.Finish())
	b.must(first.end())
	if got := first.stdout.String(); got != "one\ntwo\nlast" {
		t.Errorf("saw %q", got)
	}
	log, err := os.ReadFile(b.log().Path)
	b.must(err)
	for _, line := range []string{"stdout F one\n", "stderr P prompt> \n", "stdout F two\n", "stdout P last\n"} {
		if !strings.Contains(string(log), line) {
			t.Errorf("the log lacks %q:\n%s", line, log)
		}
	}
	if err := b.io.Attach(t.Context(), Attachment{}); !errors.Is(err, container.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

// A client that reads nothing holds nobody: the others see what comes, and it is told why its session ends.
func TestAttachSlow(t *testing.T) {
	b := newBench(t, false)
	stdout := b.open("stdout", unix.O_WRONLY)
	hold := make(chan struct{})
	slow, quick := b.attach(Attachment{}, hold), b.attach(Attachment{}, nil)
	piece := strings.Repeat("x", 63) + "\n"
	for n := 0; n <= maxBacklog+1<<20; n += len(piece) {
		write(t, stdout, piece)
	}
	write(t, stdout, "end\n")
	b.until(func() bool { return strings.HasSuffix(quick.stdout.String(), "end\n") })
	close(hold)
	if err := slow.end(); !errors.Is(err, ErrSlow) {
		t.Errorf("the slow one: %v", err)
	}
	quick.leave()
	_ = quick.end()
}

// A stdin that stays: what clients send arrives, the end of what one sends ends its session and not the container's stdin.
func TestAttachStdin(t *testing.T) {
	b := newBench(t, false)
	fd, err := unix.Open(filepath.Join(b.dir, "io", "c"), unix.O_PATH, 0)
	b.must(err)
	unix.Close(fd)
	b.must(unix.Mkfifo(filepath.Join(b.dir, "io", "c", "stdin"), 0o600))
	stdin := b.open("stdin", unix.O_RDWR) // as a container gets it
	for _, text := range []string{"first\n", "second\n"} {
		g := b.attach(Attachment{HasStdin: true}, nil)
		write(t, g.stdin, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(stdin, got); err != nil || string(got) != text {
			t.Fatalf("%q %v", got, err)
		}
		g.stdin.Close()
		b.must(g.end())
		b.restart()
	}
}

// With stdinOnce the container reads the end after the first client; until then it survives the daemon. Output goes on.
func TestAttachStdinOnce(t *testing.T) {
	b := newBench(t, true)
	stdin, stdout := b.open("stdin", unix.O_RDONLY), b.open("stdout", unix.O_WRONLY)
	b.restart()
	b.must(stdin.SetReadDeadline(time.Now().Add(time.Millisecond)))
	if n, err := stdin.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("before any client came stdin gave %d bytes, %v", n, err)
	}
	b.must(stdin.SetReadDeadline(time.Now().Add(limit)))
	a := Attachment{HasStdin: true, StdinOnce: true}
	first, second := b.attach(a, nil), b.attach(a, nil)
	write(t, first.stdin, "all\n")
	b.until(func() bool { return pending(stdin) == 4 })
	first.stdin.Close()
	if got, err := io.ReadAll(stdin); string(got) != "all\n" || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	b.until(func() bool { return !b.shelf.has("c" + fdStdin) })
	write(t, stdout, "done\n")
	b.sees(&first.stdout, "done\n")
	late := b.attach(a, nil)
	write(t, late.stdin, "lost\n")
	write(t, stdout, "still\n")
	b.sees(&late.stdout, "still\n")
	b.must(b.io.Finish())
	for _, g := range []*guest{first, second, late} {
		b.must(g.end())
	}
}

// A client that goes away is the end of stdinOnce, too, even if the container reads nothing.
func TestAttachStdinOnceLeaves(t *testing.T) {
	b := newBench(t, true)
	stdin := b.open("stdin", unix.O_RDONLY)
	g := b.attach(Attachment{HasStdin: true, StdinOnce: true}, nil)
	go func() { _, _ = io.WriteString(g.stdin, strings.Repeat("x", 1<<20)) }() // more than a pipe holds
	b.until(func() bool { return pending(stdin) == 1<<16 })
	g.leave()
	_ = g.end()
	if got, err := io.ReadAll(stdin); len(got) < 1<<16 || err != nil {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// What is sent to a container without stdin is dropped, and does not end the session.
func TestAttachNoStdin(t *testing.T) {
	b := newBench(t, false)
	stdout := b.open("stdout", unix.O_WRONLY)
	g := b.attach(Attachment{}, nil)
	write(t, g.stdin, "nobody reads this")
	g.stdin.Close()
	write(t, stdout, "on\n")
	b.sees(&g.stdout, "on\n")
	b.must(b.io.Finish())
	b.must(g.end())
}

// A terminal: input, output and size; it stays for the next client even with stdinOnce, and for the next daemon.
func TestAttachTerminal(t *testing.T) {
	b := newBench(t, false)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	b.must(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	slave, err := openSlave(master)
	b.must(err)
	defer slave.Close()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	b.must(err)
	b.must(b.io.Hold(&container.Process{PIDFD: os.NewFile(uintptr(pidfd), "pidfd"), Terminal: master}))
	// Again and again: the reactor may look at what is adopted at any moment.
	for range 50 {
		a := Attachment{HasStdin: true, StdinOnce: true}
		a.Resize = func(set func(width, height uint16), _ <-chan struct{}) { set(77, 33) }
		g := b.attach(a, nil)
		write(t, g.stdin, "typed\r")
		b.sees(&g.stdout, "typed\r\n") // the terminal's echo
		buf := make([]byte, 100)
		n, err := unix.Read(int(slave.Fd()), buf)
		if string(buf[:max(n, 0)]) != "typed\n" || err != nil {
			t.Fatalf("%q %v", buf[:max(n, 0)], err)
		}
		b.until(func() bool {
			size, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ)
			return err == nil && size.Col == 77 && size.Row == 33
		})
		g.stdin.Close()
		b.must(g.end())
		b.restart()
	}
}

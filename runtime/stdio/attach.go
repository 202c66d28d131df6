package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"podd/runtime/container"
	"podd/runtime/logs"
)

// Attachment is what a client that attaches to a container has, and what the container has for it.
type Attachment struct {
	Streams
	// HasStdin: the container has a stdin. What a client sends to another is read and dropped, as by the kubelet's runtimes.
	HasStdin bool
	// StdinOnce: that stdin ends with the first client that has sent to it, or may have.
	StdinOnce bool
}

// maxBacklog is how much of a container's output may wait for one client, in bytes.
const maxBacklog = 4 << 20

// slowGrace is how long a client that was too slow has to take in why its session ends.
const slowGrace = 5 * time.Second

const fdStdin = ".in"

// clients are those that are attached to a container, and the ways into it.
type clients struct {
	mu  sync.Mutex
	all map[*client]struct{}
	// terminal is the master of the container's terminal, nil without one.
	terminal *os.File
	// stdin is the only way into a stdin that ends; nil: it has ended, or there is no such. Clients write through inputs.
	stdin  *os.File
	inputs map[*os.File]struct{}
	ended  bool
}

// tap is what takes in the output of a stream for those who are attached now; nil: nobody is.
func (c *clients) tap(kind logs.Stream) func([]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) == 0 {
		return nil
	}
	return func(b []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for x := range c.all {
			x.put(kind, b)
		}
	}
}

// add lets a client have what is written from now on; false: nothing will be.
func (c *clients) add(x *client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	if c.all == nil {
		c.all = map[*client]struct{}{}
	}
	c.all[x] = struct{}{}
	return true
}

func (c *clients) remove(x *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, x)
}

// end tells all clients that the container has.
func (c *clients) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for x := range c.all {
		x.end()
	}
	c.all = nil
}

// setTerminal says where the container's terminal is; nil: it goes.
func (c *clients) setTerminal(master *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.terminal = master
}

func (c *clients) hasTerminal() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.terminal != nil
}

// resize sets the size of the container's terminal.
func (c *clients) resize(width, height uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminal != nil {
		_ = unix.IoctlSetWinsize(int(c.terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	}
}

// openShared opens a way of its own into what the daemon has open: the terminal, or a stdin that ends; nil if that has ended.
func (c *clients) openShared() (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.terminal
	if from == nil {
		from = c.stdin
	}
	if from == nil {
		return nil, nil
	}
	fd := dup(from)
	if fd < 0 {
		return nil, errors.New("cannot duplicate the descriptor of a container's stdin")
	}
	// It does not block, and so is in Go's poller: a container that reads nothing costs no thread.
	in := os.NewFile(uintptr(fd), from.Name())
	if c.inputs == nil {
		c.inputs = map[*os.File]struct{}{}
	}
	c.inputs[in] = struct{}{}
	return in, nil
}

func (c *clients) closeInput(in *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inputs, in)
	_ = in.Close()
}

// closeStdin ends a stdin that can end, for everybody; false: it has ended already.
func (c *clients) closeStdin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for in := range c.inputs {
		_ = in.Close()
	}
	c.inputs = nil
	if c.stdin == nil {
		return false
	}
	_ = c.stdin.Close()
	c.stdin = nil
	return true
}

// client is one that is attached.
type client struct {
	stdout, stderr bool // which it wants

	mu      sync.Mutex
	queue   []chunk
	waiting int // bytes that are not written yet
	over    bool
	wake    chan struct{} // has one element if there is something new
	slow    chan struct{} // closed once too much waits
}

// chunk is output that waits for a client.
type chunk struct {
	kind logs.Stream
	data []byte
}

// put queues output. It never waits: the container would.
func (x *client) put(kind logs.Stream, b []byte) {
	if kind == logs.Stdout && !x.stdout || kind == logs.Stderr && !x.stderr {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return
	}
	if x.waiting += len(b); x.waiting > maxBacklog {
		x.over, x.queue = true, nil
		close(x.slow)
		return
	}
	if last := len(x.queue) - 1; last >= 0 && x.queue[last].kind == kind && len(x.queue[last].data) < terminalChunk {
		x.queue[last].data = append(x.queue[last].data, b...)
	} else {
		x.queue = append(x.queue, chunk{kind, append([]byte(nil), b...)})
	}
	x.signal()
}

func (x *client) signal() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// end says that nothing more will come.
func (x *client) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.signal()
}

// take returns what waits; over: it is the last.
func (x *client) take() (queue []chunk, over bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	queue, x.queue = x.queue, nil
	return queue, x.over
}

func (x *client) wrote(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting -= n
}

// copyTo writes what comes, until there is nothing more, the client detaches or goes away, or it was too slow.
func (x *client) copyTo(ctx context.Context, s *Streams, detached <-chan struct{}) error {
	for last := false; ; {
		queue, over := x.take()
		for _, c := range queue {
			w := s.Stdout
			if c.kind == logs.Stderr {
				w = s.Stderr
			}
			if _, err := w.Write(c.data); err != nil {
				return fmt.Errorf("cannot write to a client that is attached: %w", err)
			}
			x.wrote(len(c.data))
		}
		if over || last {
			return nil
		}
		select {
		case <-x.wake:
		case <-detached:
			last = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Attach connects a client with the container's first process: the client gets what is written from now on, which the log
// gets too, and can write to stdin. It returns when the container has ended, when the client closes a stdin that stays open
// for later ones, with ctx, or with ErrSlow. Any goroutine may call it.
func (l *ContainerIO) Attach(ctx context.Context, a Attachment) error {
	if l.sink == nil {
		return ErrUnfollowed
	}
	x := &client{stdout: a.Stdout != nil, stderr: a.Stderr != nil, wake: make(chan struct{}, 1), slow: make(chan struct{})}
	if !l.clients.add(x) {
		return container.ErrNotRunning
	}
	defer l.clients.remove(x)
	detached, ended := make(chan struct{}), make(chan struct{})
	defer close(ended)
	if a.Resize != nil && l.clients.hasTerminal() {
		go a.Resize(l.clients.resize, ended)
	}
	if a.Stdin != nil {
		in, err := l.openInput(&a)
		if err != nil {
			return err
		}
		go func() {
			if l.feed(ctx, in, &a) {
				close(detached)
			}
		}()
	}
	written := make(chan error, 1)
	go func() { written <- x.copyTo(ctx, &a.Streams, detached) }()
	select {
	case err := <-written:
		select {
		case <-x.slow:
			return ErrSlow
		default:
			return err
		}
	case <-x.slow:
		grace := time.NewTimer(slowGrace)
		defer grace.Stop()
		select {
		case <-written:
		case <-grace.C:
		}
		return ErrSlow
	}
}

// openInput opens the way into the container for one client; nil: there is none, or none any more.
func (l *ContainerIO) openInput(a *Attachment) (*os.File, error) {
	switch {
	case !a.HasStdin:
		return nil, nil
	case a.StdinOnce, l.clients.hasTerminal():
		return l.clients.openShared()
	}
	return l.hub.engine.Pipes(l.id).OpenStdin()
}

// feed passes on what a client sends until it sends no more, and says whether its session ends by that. So it does with
// containerd, but where the container is told of the end and may have something to say to it: then the output goes on.
func (l *ContainerIO) feed(ctx context.Context, in *os.File, a *Attachment) (detach bool) {
	if in == nil {
		_, _ = io.Copy(io.Discard, a.Stdin)
		return false
	}
	stop := context.AfterFunc(ctx, func() { l.clients.closeInput(in) })
	_, _ = io.Copy(in, a.Stdin)
	// What comes after the container has closed its stdin is lost, as in a pipe.
	_, _ = io.Copy(io.Discard, a.Stdin)
	stop()
	l.clients.closeInput(in)
	if a.StdinOnce && !l.clients.hasTerminal() {
		l.endStdin()
		return false
	}
	return true
}

// keepStdin holds the way into a stdin that ends.
func (l *ContainerIO) keepStdin(stdin *os.File, stored bool) {
	if !stored {
		l.storeFD(l.id+fdStdin, stdin)
	}
	l.clients.mu.Lock()
	defer l.clients.mu.Unlock()
	l.clients.stdin = stdin
}

// endStdin ends a stdin that can end: the container reads its end.
func (l *ContainerIO) endStdin() {
	if !l.clients.closeStdin() {
		return
	}
	if err := l.hub.fdStore.Remove(l.id + fdStdin); err != nil {
		l.hub.log.Error("cannot take a descriptor out of the store", "name", l.id+fdStdin, "error", err)
	}
}

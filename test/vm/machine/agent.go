package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"podd/test/vm/wire"
)

// errOff is what a command ends with whose machine went away under it.
var errOff = errors.New("the machine is off")

// Command is something to run in a machine.
type Command struct {
	Argv  []string
	Env   []string
	Stdin []byte
	Limit time.Duration // a minute unless said otherwise
	Line  func(string)  // called with each line of stdout as it comes, if set
}

// Result is what came of it.
type Result struct {
	Stdout, Stderr string
	Code           int
	Err            error // it could not be run, or did not end in time
}

// agent is the other end of the agent in the machine. It ends with qemu, which closes the connection.
type agent struct {
	booted chan struct{} // closed at the agent's first words
	mu     sync.Mutex
	out    *json.Encoder
	next   int
	calls  map[int]*call
	off    bool
}

type call struct {
	stdout, stderr bytes.Buffer
	rest           string // of a line that has not ended
	line           func(string)
	done           chan Result
}

func newAgent(connection net.Conn) *agent {
	a := &agent{booted: make(chan struct{}), out: json.NewEncoder(connection), calls: map[int]*call{}}
	go a.listen(connection)
	return a
}

func (a *agent) listen(connection io.ReadCloser) {
	defer connection.Close()
	replies := json.NewDecoder(connection)
	for {
		var reply wire.Reply
		if err := replies.Decode(&reply); err != nil {
			a.hangUp()
			return
		}
		if reply.Boot != "" {
			a.greet()
			continue
		}
		a.hear(reply)
	}
}

// greet notes that the agent is there; an agent that was started anew has forgotten what its forerunner ran.
func (a *agent) greet() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.booted:
		a.dropCalls(errors.New("the agent in the machine was restarted"))
	default:
		close(a.booted)
	}
}

func (a *agent) hangUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = true
	a.dropCalls(errOff)
}

func (a *agent) dropCalls(why error) {
	for id, c := range a.calls {
		delete(a.calls, id)
		c.done <- Result{Stdout: c.stdout.String(), Stderr: c.stderr.String(), Err: why}
	}
}

func (a *agent) hear(reply wire.Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.calls[reply.ID]
	if c == nil {
		return
	}
	c.stdout.Write(reply.Stdout)
	c.stderr.Write(reply.Stderr)
	c.lines(reply.Stdout)
	if reply.Exit == nil {
		return
	}
	delete(a.calls, reply.ID)
	r := Result{Stdout: c.stdout.String(), Stderr: c.stderr.String(), Code: *reply.Exit}
	if reply.Error != "" {
		r.Err = errors.New(reply.Error)
	}
	c.done <- r
}

func (c *call) lines(p []byte) {
	if c.line == nil {
		return
	}
	c.rest += string(p)
	for {
		line, rest, ok := bytes.Cut([]byte(c.rest), []byte("\n"))
		if !ok {
			return
		}
		c.rest = string(rest)
		c.line(string(line))
	}
}

func (a *agent) start(command Command) (int, *call, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off {
		return 0, nil, errOff
	}
	a.next++
	c := &call{line: command.Line, done: make(chan Result, 1)}
	a.calls[a.next] = c
	return a.next, c, a.out.Encode(wire.Request{ID: a.next, Argv: command.Argv, Env: command.Env, Stdin: command.Stdin})
}

func (a *agent) kill(id int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.out.Encode(wire.Request{ID: id, Kill: true})
}

// Run runs a command in the machine and waits for its end.
func (m *Machine) Run(command Command) Result {
	if command.Limit == 0 {
		command.Limit = time.Minute
	}
	id, c, err := m.agent.start(command)
	if err != nil {
		return Result{Err: err}
	}
	select {
	case r := <-c.done:
		return r
	case <-time.After(command.Limit):
	}
	m.agent.kill(id)
	select {
	case r := <-c.done:
		r.Err = fmt.Errorf("it did not end within %s", command.Limit)
		return r
	case <-time.After(10 * time.Second):
		return Result{Err: fmt.Errorf("it did not end within %s, nor when it was killed", command.Limit)}
	}
}

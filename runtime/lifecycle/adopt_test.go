package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/executor"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// left is what an earlier daemon has left of one attempt. It notes what is asked of it.
type left struct {
	ended
	found     *container.Found
	findErr   error
	adoptErr  error
	stored    bool
	runs      bool
	processOf error
	watchErr  error
	watched   bool
	lost      string
	usersErr  error
	asked     []string
}

func (k *left) Find(id string) (*container.Found, error) {
	k.asked = append(k.asked, "find "+id)
	return k.found, k.findErr
}

func (k *left) Discard(id string) error {
	k.asked = append(k.asked, "discard "+id)
	return nil
}

func (k *left) Adopt(id string, _ stdio.Log) (executor.ContainerIO, bool, error) {
	k.asked = append(k.asked, "adopt "+id)
	if k.adoptErr != nil {
		return nil, false, k.adoptErr
	}
	return k, k.stored, nil
}

func (k *left) AdoptUnlogged(id string) executor.ContainerIO {
	k.asked = append(k.asked, "adopt unlogged "+id)
	return k
}

func (k *left) AdoptLeases(*state.Record) error { return k.usersErr }

func (k *left) CgroupLost(string) (string, error) { return k.lost, k.findErr }

func (k *left) AdoptProcess(int, uint64) (bool, error) { return k.runs, k.processOf }

func (k *left) WatchExit(func()) error {
	k.watched = k.watchErr == nil
	return k.watchErr
}

func (k *left) Watched() bool { return k.watched }

// What becomes of a container after a death of the daemon, in each state that its record may say. Never one that says Running
// and that nobody watches.
func TestAdopt(t *testing.T) {
	devNull := func() *os.File {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	dead := ended{over: true, status: process.ExitStatus{Code: 4}}
	for _, tc := range []struct {
		name   string
		from   state.ContainerState
		kernel left
		to     state.ContainerState
		code   int // of its end
		events string
	}{
		{"never started", waiting, left{}, waiting, 0, "[]"},
		{"collected", collected, left{}, collected, 0, "[]"},
		{"it runs", running, left{runs: true}, running, 0, "[]"},
		{"it was told to stop and runs", stopping, left{runs: true}, stopping, 0, "[]"},
		{"its preStop hook was running", preStop, left{runs: true}, preStop, 0, "[]"},
		{"it has ended meanwhile, its pipes kept", running, left{ended: dead, stored: true}, exited, 4, "[Warning BackOff spec.containers{c}]"},
		{"it has ended meanwhile, nobody kept its pipes", running, left{ended: dead}, exited, 4, "[Warning LogLost spec.containers{c} Warning BackOff spec.containers{c}]"},
		{"it had ended before", exited, left{}, exited, 0, "[]"},
		{"its start had come through", starting, left{runs: true, found: &container.Found{PIDFD: devNull(), PID: 9, Started: true}}, postStart, 0, "[]"},
		{"its start had not come through", starting, left{found: &container.Found{PIDFD: devNull(), PID: 9}}, collected, 0, "[]"},
		{"nothing is there of its start", starting, left{}, collected, 0, "[]"},
		{"its log cannot be opened, it runs", running, left{runs: true, adoptErr: errors.New("EROFS")}, running, 0, "[]"},
		{"its log cannot be opened, it has ended", running, left{ended: dead, adoptErr: errors.New("EROFS")}, exited, 4, "[Warning BackOff spec.containers{c}]"},
		{"its process cannot be looked for", running, left{ended: dead, processOf: errors.New("EMFILE")}, exited, 4, "[Warning BackOff spec.containers{c}]"},
		{"it cannot be watched", running, left{ended: dead, runs: true, watchErr: errors.New("EMFILE")}, exited, 4, "[Warning BackOff spec.containers{c}]"},
	} {
		h, l, p := newPod(state.PodRunning, collected, tc.from)
		k := tc.kernel
		h.Kernel = &k
		c := p.Record.Container("c")
		c.PID, c.Killed, c.Backoff = 42, true, 10*time.Second
		if tc.from == starting || tc.from == collected || tc.from == exited {
			c.Ended = &state.Termination{}
		}
		h.Adopt(p, at)
		if c.State != tc.to || fmt.Sprint(l.events) != tc.events {
			t.Errorf("%s: %s, %v, asked %v", tc.name, c.State, l.events, k.asked)
		}
		if c.State.Alive() != k.watched {
			t.Errorf("%s: it is %s and watched: %t", tc.name, c.State, k.watched)
		}
		if tc.code != 0 && (c.Ended == nil || c.Ended.Code != tc.code) {
			t.Errorf("%s: ended %+v", tc.name, c.Ended)
		}
		if tc.from == starting {
			began, undone := tc.to == postStart, slices.Contains(k.asked, "discard u.c.0")
			if began == undone || began && (c.PID != 9 || c.Started == nil) || undone && (c.Attempt != -1 || c.NotBefore == 0) {
				t.Errorf("%s: %+v, asked %v", tc.name, c, k.asked)
			}
		}
		if c.State.Alive() && tc.kernel.adoptErr == nil && c.Killed {
			t.Errorf("%s: it counts as killed by somebody who is gone", tc.name)
		}
	}
	h, l, p := newPod(state.PodRunning, collected, collected)
	h.Kernel = &left{usersErr: errors.New("taken")}
	if h.Adopt(p, at); fmt.Sprint(l.events) != "[Warning UserIDsTaken]" {
		t.Errorf("%v", l.events)
	}
}

func (l *loop) CgroupLost() { l.cgroupsLost++ }

// A container that has lost its cgroup runs without limits: it is ended, once, and begins anew if its policy lets it.
func TestLostCgroup(t *testing.T) {
	for _, tc := range []struct {
		name  string
		state state.ContainerState
		k     left
		ends  bool
	}{
		{"it is where it should be", running, left{}, false},
		{"it is gone", running, left{lost: "/pods/u/c"}, true},
		{"it is gone, in its postStart hook", postStart, left{lost: "/pods/u/c"}, true},
		{"it ends already", stopping, left{lost: "/pods/u/c"}, false},
		{"it has ended", exited, left{lost: "/pods/u/c"}, false},
		{"nobody knows", running, left{lost: "/pods/u/c", findErr: errors.New("EIO")}, false},
	} {
		h, l, p := newPod(state.PodRunning, collected, tc.state)
		h.Kernel = &tc.k
		h.CheckCgroups(p, at)
		h.CheckCgroups(p, at)
		c := p.Record.Container("c")
		if ends := c.EndReason == "Container c has lost its cgroup, will be restarted"; ends != tc.ends || p.Record.Sandbox.CgroupLost != tc.ends || (l.marked == 1) != tc.ends || (l.cgroupsLost == 1) != tc.ends {
			t.Errorf("%s: %q, told %d times, %v", tc.name, c.EndReason, l.marked, l.events)
		}
	}
}

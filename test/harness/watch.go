package harness

import (
	"bufio"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"podd/test/lab"
)

// story is what `podd get pods -w` prints of one pod: its STATUS column, without repetitions.
type story struct {
	mu     sync.Mutex
	states []string
}

// Watch follows a pod until the test ends. It returns once the watch stands.
func (b *Board) Watch(t *testing.T, pod string) *story {
	t.Helper()
	s := &story{}
	command := b.Podd("get", "pods", "-w")
	out, err := command.StdoutPipe()
	b.Must(err)
	b.Must(command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.add(pod, strings.Fields(lines.Text()))
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if _, killed := errors.AsType[*exec.ExitError](command.Wait()); !killed {
			t.Error("podd get -w ended by itself")
		}
	})
	return s
}

func (s *story) add(pod string, fields []string) {
	if len(fields) < 3 || fields[0] != pod {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.states); n == 0 || s.states[n-1] != fields[2] {
		s.states = append(s.states, fields[2])
	}
}

func (s *story) Told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.states)
}

// Tells waits until the states were, in this order and without others between them, those given.
func (s *story) Tells(b *Board, want ...string) {
	b.T.Helper()
	err := lab.Poll(Limit, func() (bool, error) { return slices.Equal(s.Told(), want), nil })
	if err != nil {
		b.T.Errorf("the states were %q, want %q", s.Told(), want)
	}
}

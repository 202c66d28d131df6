package vm

import (
	"strings"
	"testing"
	"time"

	"podd/test/vm/machine"
)

const (
	bootLimit = 4 * time.Minute // of a machine under emulation on a busy one
	limit     = 2 * time.Minute // of what takes a second on a board
)

// patience is how long to wait for what takes d on a machine of this processor: another one is emulated at a third of the
// speed, and on a busy machine its boot alone has taken four minutes.
func patience(d time.Duration) time.Duration {
	if ground.guest.Arch != "amd64" {
		return 3 * d
	}
	return d
}

// VM is one machine; its methods fail the test instead of returning errors.
type VM struct {
	*machine.Machine
	t *testing.T
}

// newVM makes a machine with what the tests share, switched off.
func newVM(t *testing.T, o machine.Options) *VM {
	t.Helper()
	if ground.guest.Arch != "amd64" {
		t.Skip("make test-vm runs this")
	}
	return newVMOf(t, o)
}

// newBoard makes one of the size of our smallest boards, of another processor.
func newBoard(t *testing.T) *VM {
	t.Helper()
	if ground.guest.Arch == "amd64" {
		t.Skip("make test-board runs this")
	}
	return newVMOf(t, machine.Options{MemoryMB: 512})
}

func newVMOf(t *testing.T, o machine.Options) *VM {
	t.Helper()
	o.Guest, o.Data = ground.guest, ground.data
	m, err := machine.New(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	vm := &VM{Machine: m, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of its console:\n%s", lastOf(m.Console()))
		}
		m.Cut()
	})
	return vm
}

func lastOf(text string) string {
	if len(text) > 4000 {
		return "…" + text[len(text)-4000:]
	}
	return text
}

func (vm *VM) must(err error) {
	vm.t.Helper()
	if err != nil {
		vm.t.Fatal(err)
	}
}

func (vm *VM) boot() {
	vm.t.Helper()
	began := time.Now()
	vm.must(vm.Boot(patience(bootLimit)))
	vm.t.Logf("booted in %s", time.Since(began).Round(100*time.Millisecond))
}

// sh runs a script as root and returns its stdout without the last newline; it must exit with 0.
func (vm *VM) sh(script string) string {
	vm.t.Helper()
	r := vm.try(script)
	if r.Err != nil || r.Code != 0 {
		vm.t.Fatalf("%s: exit %d, %v\n%s%s", script, r.Code, r.Err, r.Stdout, r.Stderr)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

// try runs a script.
func (vm *VM) try(script string) machine.Result {
	return vm.Run(machine.Command{Argv: []string{"bash", "-c", script}, Limit: patience(limit)})
}

// until runs a script again and again until it exits with 0, and returns its stdout.
func (vm *VM) until(script string) string {
	vm.t.Helper()
	deadline := time.Now().Add(patience(limit))
	for {
		r := vm.try(script)
		if r.Err == nil && r.Code == 0 {
			return strings.TrimSuffix(r.Stdout, "\n")
		}
		if r.Err != nil || time.Now().After(deadline) {
			vm.t.Fatalf("not within %s: %s: exit %d, %v\n%s%s", patience(limit), script, r.Code, r.Err, r.Stdout, r.Stderr)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

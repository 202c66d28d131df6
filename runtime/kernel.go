package runtime

import (
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// kernel is what the loop itself asks of what runs: New makes one of the engine, the sandboxes and the descriptor store;
// tests have one in memory.
type kernel interface {
	lifecycle.Kernel
	// prepare makes the folders that podd keeps things in.
	prepare() error
	// run carries an operation out, reports each outcome, and then that it is over.
	run(p *lifecycle.Pod, op *executor.Operation)
	execConfig(rec *state.Record, c *state.ContainerRecord) (*container.Config, error)

	// receive takes what an earlier daemon left in the descriptor store; dropUnclaimed gives up what was not adopted.
	receive()
	dropUnclaimed(except func(name string) bool)
	awaitExits(pids []int)

	// attempts are the IDs of the containers that there are remains of.
	attempts() ([]string, error)
	layers(id string) []string
	removeSandbox(uid types.UID) error
	// unmapAll takes away the mounts that a daemon has left that died while it started a container.
	unmapAll() error
}

// board is the kernel of the machine.
type board struct{ r *Runtime }

func (b board) prepare() error { return b.r.ensureFolders() }

func (b board) run(p *lifecycle.Pod, op *executor.Operation) {
	go func() {
		b.r.executor.Run(op, func(o executor.Outcome) { b.r.inbox.put(msgOutcome{p, o}) })
		b.r.inbox.put(msgIdle{p})
	}()
}

func (b board) execConfig(rec *state.Record, c *state.ContainerRecord) (*container.Config, error) {
	return b.r.execConfig(rec, c)
}

func (b board) receive() { b.r.io.Receive() }

func (b board) Adopt(id string, log stdio.Log) (executor.ContainerIO, bool, error) {
	l, stored, err := b.r.io.Adopt(id, log)
	if l == nil {
		return nil, stored, err // not an interface of a nil pointer
	}
	return l, stored, err
}

func (b board) AdoptUnlogged(id string) executor.ContainerIO { return b.r.io.NewUnlogged(id) }

func (b board) dropUnclaimed(except func(string) bool) { b.r.io.DropUnclaimed(except) }

func (b board) awaitExits(pids []int) { b.r.io.AwaitExits(pids, b.r.ExitEvents) }

func (b board) attempts() ([]string, error) { return b.r.engine.IDs() }

func (b board) Find(id string) (*container.Found, error) { return b.r.engine.Find(id) }

func (b board) Discard(id string) error { return b.r.engine.Discard(id) }

func (b board) layers(id string) []string { return b.r.engine.Layers(id) }

func (b board) CgroupLost(id string) (string, error) { return b.r.engine.CgroupLost(id) }

func (b board) removeSandbox(uid types.UID) error { return b.r.sandboxes.RemoveOf(uid) }

func (b board) unmapAll() error { return b.r.sandboxes.UnmapAll() }

func (b board) AdoptUsers(rec *state.Record) error { return b.r.sandboxes.AdoptUsers(rec) }

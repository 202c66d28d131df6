package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/adoption"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/executor"
	"podd/runtime/imagepull"
	"podd/runtime/lifecycle"
	"podd/runtime/state"
	"podd/runtime/stdio"
	"podd/runtime/volume"
)

// kernel is what the loop itself asks of what runs: New makes one of the engine, the sandboxes and the descriptor store;
// tests have one in memory.
type kernel interface {
	lifecycle.Kernel
	adoption.Kernel
	// prepare makes what podd keeps things in.
	prepare() error
	// run carries an operation out, reports each outcome, and then that it is over.
	run(p *lifecycle.Pod, op *executor.Operation)
	// pull brings an image, and says how that came out. It ends early when ctx does.
	pull(ctx context.Context, r imagepull.Request, done func(imagepull.Result))
	execConfig(rec *state.Record, c *state.ContainerRecord) (*spec.Config, error)

	// receive takes what an earlier daemon left in the descriptor store; dropUnclaimed gives up what was not adopted.
	receive()
	dropUnclaimed(except func(name string) bool)
	awaitExits(pids []int)
}

// board is the kernel of the machine.
type board struct{ r *Runtime }

func (b board) prepare() error {
	if err := b.r.folders.Ensure(); err != nil {
		return err
	}
	if err := container.EnsureBaseLayer(b.r.engine.BaseLayer); err != nil {
		return err
	}
	b.labelImages()
	return b.r.engine.Views.Ensure()
}

// labelImages lets containers execute what is in images: SELinux looks at the files of their layers behind the overlay, too. New
// ones have the label of the folder that they are made in.
func (b board) labelImages() {
	label, dir := b.r.engine.Modules.ImageLabel(), filepath.Join(b.r.folders.Root, "images")
	if err := volume.Label(dir, label, false); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.r.Log.Warn("programs of images may not be executable: cannot label their files", "folder", dir, "label", label, "error", err)
	}
}

func (b board) run(p *lifecycle.Pod, op *executor.Operation) {
	go func() {
		b.r.executor.Run(op, func(o executor.Outcome) { b.r.inbox.put(msgOutcome{p, o}) })
		b.r.inbox.put(msgIdle{p})
	}()
}

func (b board) pull(ctx context.Context, r imagepull.Request, done func(imagepull.Result)) {
	go func() { done(b.r.Puller.Pull(ctx, r)) }()
}

func (b board) execConfig(rec *state.Record, c *state.ContainerRecord) (*spec.Config, error) {
	return b.r.inputs.execConfig(rec, c)
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

func (b board) Attempts() ([]string, error) { return b.r.engine.IDs() }

func (b board) Find(id string) (*container.Found, error) { return b.r.engine.Find(id) }

func (b board) Discard(id string) error { return b.r.engine.Discard(id) }

func (b board) Layers(id string) []string { return b.r.engine.Layers(id) }

func (b board) CgroupLost(id string) (string, error) { return b.r.engine.CgroupLost(id) }

func (b board) RemoveSandbox(uid types.UID) error { return b.r.sandboxes.RemoveOf(uid) }

func (b board) UnmapAll() error { return b.r.sandboxes.UnmapAll() }

func (b board) AdoptLeases(rec *state.Record) error { return b.r.sandboxes.AdoptLeases(rec) }

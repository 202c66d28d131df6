package lifecycle

import (
	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/prober"
	"podd/runtime/rollout"
	"podd/runtime/state"
	"podd/runtime/storage"
)

// Pod is one pod as the loop has it: its record, which outlives the daemon, and what only this daemon knows. It belongs to the
// loop.
type Pod struct {
	Record  *state.Record
	IO      map[string]executor.ContainerIO // of the containers' current attempts, by name
	Probes  prober.Pod
	Rollout rollout.Pod

	// Pulls are those under way, by what they are for.
	Pulls map[PullTarget]*Pull

	Busy    bool // an operation runs
	Refresh bool // what its volumes are made of has changed
	Backoff executor.StepBackoff
	Usage   storage.Usage  // of its emptyDirs
	Wake    state.BootTime // since boot; 0: nothing to wait for
	Retry   state.BootTime // since boot; nothing is tried before
	Unfit   string         // why this board is not for it, in the scheduler's words; "": it is
	Deleted bool           // by hand; ends although its manifest stays, and begins anew
	Grace   *int64         // seconds, asked for with the deletion
	Drain   Drain
	// Shown: clients have seen it.
	Shown bool
	// Problem is the sentence about the manifest of a running pod: a bad edit.
	Problem *manifest.Problem
}

// Drain is how far Services have let go of a pod that ends. It begins anew with the daemon.
type Drain struct {
	Begun bool
	Table uint64         // the first of the kernel's tables that does not lead to it; 0: none yet
	At    state.BootTime // since boot; no stop signal before
}

// NewPod makes a Pod of a record.
func NewPod(rec *state.Record) *Pod {
	return &Pod{Record: rec, IO: map[string]executor.ContainerIO{}, Pulls: map[PullTarget]*Pull{}}
}

// Name is the pod's namespace and name, for log lines.
func (p *Pod) Name() string { return p.Record.Object.Namespace + "/" + p.Record.Object.Name }

// RetryNow lets what waits for its next try go on at once.
func (p *Pod) RetryNow() {
	p.Retry, p.Backoff = 0, executor.StepBackoff{}
	p.Record.Sandbox.NotBefore, p.Record.Sandbox.Backoff = 0, 0
	p.Record.Volumes.RetryNow()
	for _, c := range p.Record.Containers {
		if c.Waiting != nil {
			c.NotBefore, c.Backoff = 0, 0
		}
	}
}

// HasVolumes says whether there are any.
func (p *Pod) HasVolumes() bool { return len(p.Record.Object.Spec.Volumes) > 0 }

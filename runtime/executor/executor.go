// Package executor does what plans say, for one pod at a time and away from the loop. It is given values, and answers
// with one Outcome for each action.
package executor

import (
	"log/slog"
	goruntime "runtime"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/internal/atomicfile"
	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
	"podd/runtime/volume"
)

// Cgroups has the cgroups of pods and containers.
type Cgroups interface {
	EnsurePod(uid, qos string, r cgroups.Resources) (path string, err error)
	Resize(path string, r cgroups.Resources) error
	Warm()
	Version() int
	Controllers() []string
}

// Executor runs Operations. Its fields do not change.
type Executor struct {
	Paths          state.Paths
	Sandboxes      *sandbox.Manager
	Engine         *container.Engine
	Hub            *stdio.Hub
	Volumes        *volume.Dirs
	Cgroups        Cgroups
	LogFolders     LogFolders
	NodeName       string
	Allocatable    func() corev1.ResourceList // of the board
	MemoryCapacity int64                      // bytes of the board
	OOMScoreFloor  int                        // the lowest score that the kernel lets podd give
	// Damaged is told of files that could not be believed and were set aside; nil: nobody is.
	Damaged atomicfile.Report
	// Restored is told of what could not be read of an earlier start, and what is lost by it.
	Restored func(err error, lost string)
	Log      *slog.Logger
	CDIDirs  []string // of CDI specs, the later ones before the earlier
	// WatchDevice is called before it is looked whether a device is there; nil: nobody wants to know.
	WatchDevice func(path string)

	slots chan struct{} // bounds the operations that run at once
}

// maxOperations is how many pods are worked on at once: starting a container waits about half of its time.
func maxOperations() int { return 2 * goruntime.NumCPU() }

// New makes an Executor of x's fields.
func New(x Executor) *Executor {
	x.slots = make(chan struct{}, maxOperations())
	return &x
}

// run is an operation that is being carried out.
type run struct {
	*Executor
	*Operation
}

// Run does the actions in order and reports the outcome of each. After an error only cleaning goes on: what starts
// depends on what failed.
func (x *Executor) Run(o *Operation, report func(Outcome)) {
	x.slots <- struct{}{}
	defer func() { <-x.slots }()
	op := &run{x, o}
	failed := false
	for _, a := range o.Actions {
		if failed && !plan.Cleans(a) {
			report(OutcomeOf(a, ErrSkipped))
			continue
		}
		begun := state.Now().Mono
		out := op.perform(a)
		x.Log.Debug("action", "uid", o.Record.UID, "action", a.String(), "took", state.Now().Mono.Sub(begun))
		if out.Failure() != nil && !plan.StandsAlone(a) {
			failed = true
		}
		report(out)
	}
}

func (op *run) perform(a plan.Action) Outcome {
	switch a := a.(type) {
	case plan.EnsureSandbox:
		if err := op.forgetImageVolumes(); err != nil {
			return SandboxEnsured{EnsureSandbox: a, Result: Result{err}}
		}
		s, err := op.Sandboxes.Ensure(op.Record, op.Inputs.Sandbox)
		if err == nil {
			op.Record.Sandbox = s
		}
		return SandboxEnsured{a, Result{err}, s}
	case plan.EnsureVolumes:
		out, err := op.ensureVolumes()
		out.Err = err
		return out
	case plan.RefreshVolumes:
		return VolumesRefreshed{a, Result{op.refreshVolumes()}}
	case plan.MeasureVolumes:
		out, err := op.measureVolumes()
		out.Err = err
		return out
	case plan.RemoveSandbox:
		return SandboxRemoved{a, Result{op.Sandboxes.Remove(op.Record)}}
	case plan.StartContainer:
		out, err := op.start(a)
		out.StartContainer, out.Err = a, err
		return out
	case plan.StopContainer:
		signal := process.ParseSignal(op.Inputs.StopSignals[a.Name])
		return ContainerStopped{a, Result{op.signal(a.Name, signal)}, signal}
	case plan.KillContainer:
		return ContainerKilled{a, Result{op.kill(a.Name)}}
	case plan.CollectContainer:
		message, err := op.collect(a)
		return ContainerCollected{a, Result{err}, message}
	case plan.ResizePod:
		return PodResized{a, Result{op.resize()}, op.Record.Object}
	case plan.Finish:
		return PodFinished{a, Result{op.removeVolumes(op.Record.UID, true)}}
	case plan.Forget:
		err := op.removeVolumes(op.Record.UID, !op.Inputs.ShutDown)
		if err == nil {
			err = op.LogFolders.removePod(op.Record, op.Inputs.ShutDown)
		}
		return PodForgotten{a, Result{err}}
	}
	return OutcomeOf(a, nil)
}

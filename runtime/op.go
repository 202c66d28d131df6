package runtime

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/images"
	"podd/internal/beneath"
	"podd/runtime/container"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// operation carries out one plan for one pod, away from the loop. It works on copies: what it learns goes to
// the loop as outcomes, and the loop alone changes the record.
type operation struct {
	r   *Runtime
	pod *pod // to name it; its fields are the loop's
	uid types.UID
	// stopping: the board stops, and its pods are not removed but ended.
	stopping bool
	actions  []plan.Action
	rec      *state.Record
	io       map[string]*stdio.ContainerIO
	images   map[string]images.Image
	sandbox  sandbox.Inputs
	volumes  *volumeSources // for the actions that make or refresh volumes
}

func (r *Runtime) newOperation(p *pod, actions []plan.Action) *operation {
	op := &operation{r: r, pod: p, uid: p.rec.UID, stopping: r.stopping, actions: actions, io: make(map[string]*stdio.ContainerIO, len(p.io)), images: map[string]images.Image{}}
	for name, l := range p.io {
		op.io[name] = l
	}
	for _, a := range actions {
		switch a.(type) {
		case plan.EnsureSandbox:
			op.sandbox = sandbox.Inputs{PidsLimit: r.settings.Load().PodPidsLimit, NameServers: r.nameServers()}
		case plan.EnsureVolumes, plan.RefreshVolumes:
			op.volumes = r.volumeSources(p.rec)
			p.refresh = false
			for name, image := range op.volumes.images {
				p.rec.Volumes.UseImage(name, image.LayerDirs())
			}
		}
		if start, ok := a.(plan.StartContainer); ok {
			if image, err := r.imageFor(p.rec, start.Name); err == nil {
				op.images[start.Name] = image
				// From here on the image is in use.
				c := p.rec.Container(start.Name)
				c.ImageID, c.Layers = image.ID, image.LayerDirs()
			}
		}
	}
	rec := *p.rec
	rec.Containers = make([]*state.ContainerRecord, 0, len(p.rec.Containers))
	for _, c := range p.rec.Containers {
		copied := *c
		rec.Containers = append(rec.Containers, &copied)
	}
	op.rec = &rec
	return op
}

// run does the actions in order. After an error only cleaning goes on: what starts depends on what failed.
func (op *operation) run() {
	op.r.slots <- struct{}{}
	failed := false
	for _, a := range op.actions {
		if failed && !cleans(a) {
			op.tell(a, nil, errSkipped)
			continue
		}
		begun := state.Now().Mono
		outcome, err := op.perform(a)
		op.r.Log.Debug("action", "uid", op.uid, "action", a.String(), "took", state.Now().Mono-begun)
		if err != nil && !standsAlone(a) {
			failed = true
		}
		op.tell(a, outcome, err)
	}
	<-op.r.slots
	op.r.inbox.put(msgIdle{op.pod})
}

// cleans says of an action that it stands for itself whatever failed before it.
func cleans(a plan.Action) bool {
	switch a.(type) {
	case plan.CollectContainer, plan.StopContainer, plan.KillContainer, plan.ResizePod:
		return true
	}
	return false
}

// standsAlone says of an action that its failure is its own affair: nothing after it depends on it.
func standsAlone(a plan.Action) bool {
	switch a.(type) {
	case plan.StartContainer, plan.ResizePod, plan.RefreshVolumes, plan.MeasureVolumes:
		return true
	}
	return false
}

func (op *operation) tell(a plan.Action, outcome any, err error) {
	op.r.inbox.put(msgOutcome{op.pod, a, outcome, err})
}

func (op *operation) perform(a plan.Action) (any, error) {
	switch a := a.(type) {
	case plan.EnsureSandbox:
		s, err := op.r.sandboxes.Ensure(op.rec, op.sandbox)
		if err == nil {
			op.rec.Sandbox = s
		}
		return s, err
	case plan.EnsureVolumes:
		return op.ensureVolumes()
	case plan.RefreshVolumes:
		return nil, op.refreshVolumes()
	case plan.MeasureVolumes:
		return op.measureVolumes()
	case plan.RemoveSandbox:
		return nil, op.r.sandboxes.Remove(op.rec)
	case plan.StartContainer:
		return op.start(a)
	case plan.StopContainer:
		return op.stop(a)
	case plan.KillContainer:
		return nil, op.signal(a.Name, unix.SIGKILL)
	case plan.CollectContainer:
		return op.collect(a)
	case plan.ResizePod:
		return op.rec.Object, op.resize()
	case plan.Finish:
		return nil, op.r.removeVolumes(op.uid, true)
	case plan.Forget:
		if err := op.r.removeVolumes(op.uid, !op.stopping); err != nil {
			return nil, err
		}
		return nil, op.r.forget(op.rec, op.stopping)
	}
	return nil, nil
}

// started is the outcome of a StartContainer.
type started struct {
	io      *stdio.ContainerIO
	process *container.Process // nil after an error
	imageID string
	object  *corev1.Pod // with whose limits
}

func (op *operation) start(a plan.StartContainer) (started, error) {
	if _, fresh := op.actions[0].(plan.EnsureSandbox); !fresh {
		go op.r.Cgroups.Warm()
	}
	image, ok := op.images[a.Name]
	if !ok {
		return started{}, fmt.Errorf("%w: its image is gone", container.ErrConfig)
	}
	if err := op.remakeCgroup(); err != nil {
		return started{}, err
	}
	c := op.r.containerConfig(op.rec, a.Name, a.Attempt, image)
	if sandbox.SharesProcesses(op.rec.Object) {
		path, err := op.r.sandboxes.EnsurePause(op.rec)
		if err != nil {
			return started{}, err
		}
		c.Sandbox.PIDNS = path
	}
	var err error
	if c.Env, err = op.resolveEnv(a.Name, a.Attempt); err != nil {
		return started{}, err
	}
	release, err := op.containerMounts(c, a.Name, a.Attempt)
	defer release()
	if err != nil {
		return started{}, err
	}
	l, err := op.r.io.Open(c.ID, op.r.logOf(op.rec, a.Name, a.Attempt))
	if err != nil {
		return started{}, err
	}
	if err := op.r.makeTerminationLog(c.TerminationLog); err != nil {
		return started{io: l}, err
	}
	if c.TerminationLog != "" {
		if err := op.r.sandboxes.Chown(op.rec, c.TerminationLog); err != nil {
			return started{io: l}, err
		}
	}
	process, err := op.r.sandboxes.Start(c, l.Hold)
	if err != nil {
		return started{io: l, imageID: image.ID}, err
	}
	op.r.watchCgroup(op.rec)
	if err := op.r.dropLogs(op.rec, a.Name, a.Attempt); err != nil {
		op.r.Log.Error("cannot remove an old log", "pod", op.uid, "container", a.Name, "error", err)
	}
	return started{l, process, image.ID, op.rec.Object}, nil
}

// makeTerminationLog makes the file that is mounted at terminationMessagePath; any user may write to it.
func (r *Runtime) makeTerminationLog(path string) error {
	if path == "" {
		return nil
	}
	if err := beneath.WriteInPlace(path, "", 0o666, r.Damaged); err != nil {
		return fmt.Errorf("cannot make the termination log: %w", err)
	}
	return nil
}

// stop sends the stop signal of the image; its outcome is the signal.
func (op *operation) stop(a plan.StopContainer) (unix.Signal, error) {
	signal := container.ParseSignal(op.r.stopSignal(op.rec, a.Name))
	return signal, op.signal(a.Name, signal)
}

func (op *operation) signal(name string, signal unix.Signal) error {
	l := op.io[name]
	if l == nil {
		return nil
	}
	return l.Signal(signal)
}

// collect takes away what a dead attempt left; its outcome is the termination message, whatever could not be taken away.
func (op *operation) collect(a plan.CollectContainer) (string, error) {
	id := state.ContainerID(op.uid, a.Name, a.Attempt)
	err := op.r.engine.RemoveState(id)
	if l := op.io[a.Name]; l != nil && err == nil {
		err = l.Finish()
	}
	message := op.r.terminationMessage(op.rec, a.Name, a.Attempt)
	if err == nil {
		err = op.r.engine.RemoveRoot(id)
	}
	if err == nil {
		err = op.r.engine.RemoveIO(id)
	}
	if err != nil {
		return message, err
	}
	// Last: a collect that failed in between is done again and reads the message again.
	_ = os.Remove(op.r.paths.TerminationLog(op.uid, a.Name, a.Attempt))
	_ = os.Remove(op.r.paths.Env(op.uid, a.Name, a.Attempt))
	return message, nil
}

// logOf is where and how the output of an attempt is written.
func (r *Runtime) logOf(rec *state.Record, name string, attempt int) stdio.Log {
	settings := r.settings.Load()
	return stdio.Log{Path: r.paths.Log(rec, name, attempt), MaxSize: settings.LogMaxSize, MaxFiles: settings.LogMaxFiles}
}

package executor

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/internal/beneath"
	"podd/runtime/container/spec"
	"podd/runtime/plan"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// start makes and starts one attempt. What it has opened is in the outcome also after an error.
func (op *run) start(a plan.StartContainer) (out ContainerStarted, err error) {
	if _, fresh := op.Actions[0].(plan.EnsureSandbox); !fresh {
		go op.Cgroups.Warm()
	}
	image, ok := op.Inputs.Images[a.Name]
	if !ok {
		return out, fmt.Errorf("%w: its image is gone", spec.ErrConfig)
	}
	if err := op.checkOwners(op.Record.Spec(a.Name).Image, &image); err != nil {
		return out, err
	}
	if err := op.remakeCgroup(); err != nil {
		return out, err
	}
	c := op.ContainerConfig(op.Record, a.Name, a.Attempt, image)
	c.Rlimits, c.SeccompDefault, c.NoNewPrivileges = op.Inputs.Rlimits, op.Inputs.SeccompDefault, op.Inputs.NoNewPrivileges
	if h := op.Record.Sandbox.Handler; h != nil {
		c.SeccompPreset, c.AppArmorPreset = h.SeccompProfile, h.AppArmorProfile
	}
	if sandbox.SharesProcesses(op.Record.Object) {
		if c.Sandbox.PIDNS, err = op.Sandboxes.EnsurePause(op.Record); err != nil {
			return out, err
		}
	}
	if c.Sandbox.PIDNS, err = op.targetProcesses(a.Name, c.Sandbox.PIDNS); err != nil {
		return out, err
	}
	edits, err := op.cdiEdits(a.Name)
	if err != nil {
		return out, err
	}
	if c.Env, err = op.resolveEnv(a.Name, a.Attempt, variables(edits.Env)); err != nil {
		return out, err
	}
	free, err := op.beginShares(a.Name)
	defer free()
	if err != nil {
		return out, err
	}
	release, err := op.containerMounts(c, a.Name, a.Attempt)
	defer release()
	if err != nil {
		return out, err
	}
	if err := op.giveDevices(c, a.Name); err != nil {
		return out, err
	}
	op.applyCDI(c, &edits)
	out.NoJournal = op.Inputs.Journal && !op.Hub.HasJournal()
	log := stdio.Log{
		Path: op.Paths.Log(op.Record, a.Name, a.Attempt), MaxSize: op.Inputs.LogMaxSize, MaxFiles: op.Inputs.LogMaxFiles,
		Journal: op.Inputs.Journal && !out.NoJournal, Fields: JournalFields(op.Record, a.Name, a.Attempt),
	}
	l, err := op.Hub.Open(c.ID, log, stdinEnds(c.Container))
	if err != nil {
		return out, err
	}
	out.IO = l
	if err := op.makeTerminationLog(c.TerminationLog); err != nil {
		return out, err
	}
	if c.TerminationLog != "" {
		if err := op.Sandboxes.Chown(op.Record, c.TerminationLog); err != nil {
			return out, err
		}
	}
	out.ImageID, out.ImageRef = image.ID, op.Record.Spec(a.Name).Image
	if out.Process, err = op.Sandboxes.Start(c, l.Hold); err != nil {
		return out, err
	}
	if err := op.LogFolders.dropOld(op.Record, a.Name, a.Attempt); err != nil {
		op.Log.Error("cannot remove an old log", "pod", op.Record.UID, "container", a.Name, "error", err)
	}
	out.Object = op.Record.Object
	return out, nil
}

// stdinEnds says whether stdin is a pipe that ends after the first client that was attached. That of a terminal stays.
func stdinEnds(c *corev1.Container) bool { return c.Stdin && c.StdinOnce && !c.TTY }

// targetProcesses is the PID namespace of the container that an ephemeral one looks into; otherwise own.
func (op *run) targetProcesses(name, own string) (path string, err error) {
	target := op.Record.Target(name)
	if target == "" || own != "" || op.Record.Object.Spec.HostPID {
		return own, nil
	}
	c := op.Record.Container(target)
	if c == nil || !c.State.Alive() {
		return "", fmt.Errorf("%w: target container %q does not run", spec.ErrConfig, target)
	}
	return fmt.Sprintf("/proc/%d/ns/pid", c.PID), nil
}

// makeTerminationLog makes the file that is mounted at terminationMessagePath; any user may write to it.
func (x *Executor) makeTerminationLog(path string) error {
	if path == "" {
		return nil
	}
	if err := beneath.WriteInPlace(path, "", 0o666, x.Damaged); err != nil {
		return fmt.Errorf("cannot make the termination log: %w", err)
	}
	return nil
}

// kill ends a container for good. One that waits for a dead server of a pod that ends is let go by force.
func (op *run) kill(name string) error {
	err := op.signal(name, unix.SIGKILL)
	op.Engine.ReapLost() // of commands that began as it died of its stop signal: it waits for them
	if l := op.IO[name]; l != nil && err == nil && op.Record.Ending() != nil && hasShares(op.Record) {
		go op.forceShares(string(op.Record.UID), l.Ended)
	}
	return err
}

func (op *run) signal(name string, signal unix.Signal) error {
	if l := op.IO[name]; l != nil {
		return l.Signal(signal)
	}
	return nil
}

// collect takes away what a dead attempt left, and reads its termination message whatever could not be taken away.
func (op *run) collect(a plan.CollectContainer) (message string, err error) {
	id := state.ContainerID(op.Record.UID, a.Name, a.Attempt)
	err = op.Engine.RemoveState(id)
	if l := op.IO[a.Name]; l != nil && err == nil {
		err = l.Finish()
	}
	message = op.terminationMessage(op.Record, a.Name, a.Attempt)
	if err == nil {
		err = op.Engine.RemoveRoot(id)
	}
	if err == nil {
		err = op.Engine.RemoveIO(id)
	}
	if err != nil {
		return message, err
	}
	// Last: a collect that failed in between is done again and reads the message again.
	_ = os.Remove(op.Paths.TerminationLog(op.Record.UID, a.Name, a.Attempt))
	_ = os.Remove(op.Paths.Env(op.Record.UID, a.Name, a.Attempt))
	return message, nil
}

// remakeCgroup makes the cgroup of a pod again, of which a part was removed.
func (op *run) remakeCgroup() error {
	if !op.Record.Sandbox.CgroupLost {
		return nil
	}
	spec := &op.Record.Object.Spec
	_, err := op.Cgroups.EnsurePod(string(op.Record.UID), sandbox.CgroupTier(spec), sandbox.PodResources(spec, op.Inputs.Sandbox.PidsLimit))
	return err
}

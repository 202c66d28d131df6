package lifecycle

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// adoption takes over the containers of a pod that an earlier daemon has started.
type adoption struct{ h *Handler }

func (h *Handler) adoption() adoption { return adoption{h} }

// Adopt takes over the containers that an earlier daemon has left of a pod: those that run, and those that have ended meanwhile.
func (h *Handler) Adopt(p *Pod, now state.Instant) {
	if sandbox.SharesProcesses(p.Record.Object) {
		// Nobody else looks at it before a container starts.
		if pause, err := h.Kernel.Find(sandbox.PauseID(p.Record.UID)); err == nil && pause != nil && pause.PIDFD != nil {
			_ = pause.PIDFD.Close()
		}
	}
	for _, c := range p.Record.Containers {
		if err := h.adoption().adoptContainer(p, c, now); err != nil {
			h.Log.Error("cannot adopt a container whole", "pod", p.Name(), "container", c.Name, "error", err)
			h.adoption().adoptUnlogged(p, c, now)
		}
	}
	if err := h.Kernel.AdoptLeases(p.Record); err != nil {
		h.Log.Error("two pods may have the same ids or SELinux level", "error", err)
		h.Event(p, "", now, corev1.EventTypeWarning, "UserIDsTaken", err.Error())
	}
}

func (ad adoption) adoptContainer(p *Pod, c *state.ContainerRecord, now state.Instant) error {
	switch c.State {
	case state.ContainerStarting:
		return ad.adoptStarting(p, c, now)
	case state.ContainerPostStart, state.ContainerRunning, state.ContainerPreStop, state.ContainerStopping, state.ContainerExited:
		return ad.adoptStarted(p, c, now)
	case state.ContainerWaiting, state.ContainerCollected:
	}
	return nil
}

// adoptStarting settles a start in whose middle the daemon died: it came through, or it never was.
func (ad adoption) adoptStarting(p *Pod, c *state.ContainerRecord, now state.Instant) error {
	id := state.ContainerID(p.Record.UID, c.Name, c.Attempt)
	found, err := ad.h.Kernel.Find(id)
	if err != nil || found == nil || !found.Started {
		return errors.Join(err, ad.h.Kernel.Discard(id), c.UndoStart(now.After(time.Second)))
	}
	at := state.SinceBootTicks(found.StartTime, now)
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, found.PID, found.StartTime, nil
	if image, err := ad.h.Inputs.Image(p.Record, c.Name); err == nil {
		c.ImageID = image.ID
		c.UseImage(state.ImageRecord{Ref: p.Record.Spec(c.Name).Image, ID: image.ID})
		if len(c.Layers) == 0 {
			c.Layers = image.LayerDirs()
		}
	}
	if err := c.MarkCreated(p.Record.Spec(c.Name), corev1.Signal(ad.h.Inputs.StopSignal(p.Record, c.Name))); err != nil {
		return err
	}
	return ad.adoptStarted(p, c, now)
}

// adoptStarted takes over the descriptors of an attempt and looks whether its process still runs.
func (ad adoption) adoptStarted(p *Pod, c *state.ContainerRecord, now state.Instant) error {
	l, stored, err := ad.h.Kernel.Adopt(state.ContainerID(p.Record.UID, c.Name, c.Attempt), ad.h.Inputs.Log(p.Record, c.Name, c.Attempt))
	if l != nil {
		p.IO[c.Name] = l
	}
	if err != nil || !c.State.Alive() {
		return err
	}
	running, err := l.AdoptProcess(c.PID, c.PIDStart)
	if err != nil {
		return err
	}
	if !running {
		if !stored {
			ad.recordLogLost(p, c, now)
		}
		ad.h.recordExit(p, c, l, now)
		return nil
	}
	ad.h.Log.Info("container adopted", "pod", p.Name(), "container", c.Name, "attempt", c.Attempt, "pid", c.PID)
	ad.h.Prober.EndOldCommands(p.Record, c)
	ad.h.watchCgroup(p.Record)
	c.Killed = false // what it waits for may have to be let go, and whoever kills it sees to that
	return ad.h.watch(p, c.Name)
}

// recordLogLost records what nobody could keep: the last output of a container that ended while no daemon was there to
// read it, and no descriptor store to hold its pipes.
func (ad adoption) recordLogLost(p *Pod, c *state.ContainerRecord, now state.Instant) {
	text := fmt.Sprintf("Container %s ended while podd was not running; what it wrote since podd was last there is lost", c.Name)
	ad.h.Log.Warn("log lines are lost", "pod", p.Name(), "container", c.Name, "attempt", c.Attempt)
	ad.h.Event(p, c.Name, now, corev1.EventTypeWarning, "LogLost", text)
}

// adoptUnlogged takes over a container of which something could not be: it is watched, or counts as ended. A
// record that says Running has a process that somebody watches, or none of the pod's moves would ever come.
func (ad adoption) adoptUnlogged(p *Pod, c *state.ContainerRecord, now state.Instant) {
	if !c.State.Alive() {
		return
	}
	id := state.ContainerID(p.Record.UID, c.Name, c.Attempt)
	l := p.IO[c.Name]
	if l == nil {
		l = ad.h.Kernel.AdoptUnlogged(id)
		p.IO[c.Name] = l
	}
	running, err := l.AdoptProcess(c.PID, c.PIDStart)
	if err != nil {
		ad.h.Log.Error("cannot find a container's process", "containerID", id, "error", err)
	}
	if running && !l.Watched() && ad.h.watch(p, c.Name) == nil {
		return
	}
	if !l.Watched() {
		ad.h.recordExit(p, c, l, now)
	}
}

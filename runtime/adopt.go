package runtime

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

// adopt takes over what an earlier daemon left: a crash, an upgrade and a restart look the same from here.
func (r *Runtime) adopt(now state.Instant) error {
	r.prepareStorage()
	r.watchCgroups()
	r.restoreNames()
	r.disk.Restored(r.rollout.ReadAliases(), "which pods were changed in place follows from those that run")
	r.disk.Restored(r.claims.Read(), "what claims are bound to follows from their folders and from the pods that run; others wait")
	r.disk.SetAside(r.rollout.PeekRevisions(), "the version before, to which a pod could be put back")
	recs, bad := r.records.ReadAll()
	r.disk.SetAside(bad, lostRecord)
	r.kernel.receive()
	for _, rec := range recs {
		p := &pod{rec: rec, io: map[string]executor.ContainerIO{}}
		r.pods[rec.UID] = p
		r.adoptContainers(p, now)
		r.checkCgroups(p, now)
		r.adoptFinished(p)
		r.save(p)
		r.mark(rec.UID)
	}
	r.findOrphans()
	r.disk.Wait()
	r.readResolver()
	r.services.ReadAllocations()
	r.restoreNetwork(now)
	r.kernel.dropUnclaimed(r.ofOrphan)
	r.removeStrangers()
	r.awaitExits()
	r.shareOut()
	return nil
}

// adoptFinished writes the end of a pod whose daemon died before it had, or of which the file is lost.
func (r *Runtime) adoptFinished(p *pod) {
	if p.rec.State != state.PodFinished {
		return
	}
	if p.rec.Kept {
		if err := r.finished.Check(p.rec.UID); err != nil {
			r.disk.SetAside([]error{err}, "it is written again")
			p.rec.Kept = false
		}
	}
	if !p.rec.Kept {
		r.saveFinished(p)
	}
}

func (r *Runtime) adoptContainers(p *pod, now state.Instant) {
	if sandbox.SharesProcesses(p.rec.Object) {
		// Nobody else looks at it before a container starts.
		if pause, err := r.engine.Find(sandbox.PauseID(p.rec.UID)); err == nil && pause != nil && pause.PIDFD != nil {
			_ = pause.PIDFD.Close()
		}
	}
	for _, c := range p.rec.Containers {
		if err := r.adoptContainer(p, c, now); err != nil {
			r.Log.Error("cannot adopt a container whole", "pod", p.name(), "container", c.Name, "error", err)
			r.adoptUnlogged(p, c, now)
		}
	}
	if err := r.sandboxes.AdoptUsers(p.rec); err != nil {
		r.Log.Error("two pods may have the same ids", "error", err)
		r.event(p, "", now, corev1.EventTypeWarning, "UserIDsTaken", err.Error())
	}
}

// awaitExits listens for the ends of adopted containers where their pidfds will not tell.
func (r *Runtime) awaitExits() {
	var pids []int
	for _, p := range r.pods {
		for _, c := range p.rec.Containers {
			if c.State.Alive() {
				pids = append(pids, c.PID)
			}
		}
	}
	r.kernel.awaitExits(pids)
}

func (r *Runtime) adoptContainer(p *pod, c *state.ContainerRecord, now state.Instant) error {
	switch c.State {
	case state.ContainerStarting:
		return r.adoptStarting(p, c, now)
	case state.ContainerPostStart, state.ContainerRunning, state.ContainerPreStop, state.ContainerStopping, state.ContainerExited:
		return r.adoptStarted(p, c, now)
	case state.ContainerWaiting, state.ContainerCollected:
	}
	return nil
}

// adoptStarting settles a start in whose middle the daemon died: it came through, or it never was.
func (r *Runtime) adoptStarting(p *pod, c *state.ContainerRecord, now state.Instant) error {
	id := state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	found, err := r.kernel.find(id)
	if err != nil || found == nil || !found.Started {
		return errors.Join(err, r.kernel.discard(id), c.UndoStart(now.After(time.Second)))
	}
	at := state.SinceBootTicks(found.StartTime, now)
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, found.PID, found.StartTime, nil
	if image, err := r.imageFor(p.rec, c.Name); err == nil {
		c.ImageID = image.ID
		if len(c.Layers) == 0 {
			c.Layers = image.LayerDirs()
		}
	}
	if err := c.MarkCreated(p.rec.Spec(c.Name), corev1.Signal(r.stopSignal(p.rec, c.Name))); err != nil {
		return err
	}
	return r.adoptStarted(p, c, now)
}

// adoptStarted takes over the descriptors of an attempt and looks whether its process still runs.
func (r *Runtime) adoptStarted(p *pod, c *state.ContainerRecord, now state.Instant) error {
	l, stored, err := r.kernel.adopt(state.ContainerID(p.rec.UID, c.Name, c.Attempt), r.logOf(p.rec, c.Name, c.Attempt))
	if l != nil {
		p.io[c.Name] = l
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
			r.sayLost(p, c, now)
		}
		r.recordExit(p, c, l, now)
		return nil
	}
	r.Log.Info("container adopted", "pod", p.name(), "container", c.Name, "attempt", c.Attempt, "pid", c.PID)
	r.prober.EndOldCommands(p.rec, c)
	r.watchCgroup(p.rec)
	return r.watch(p, c.Name)
}

// sayLost says what nobody could keep: the last output of a container that ended while no daemon was there to
// read it, and no descriptor store to hold its pipes.
func (r *Runtime) sayLost(p *pod, c *state.ContainerRecord, now state.Instant) {
	text := fmt.Sprintf("Container %s ended while podd was not running; what it wrote since podd was last there is lost", c.Name)
	r.Log.Warn("log lines are lost", "pod", p.name(), "container", c.Name, "attempt", c.Attempt)
	r.event(p, c.Name, now, corev1.EventTypeWarning, "LogLost", text)
}

// adoptUnlogged takes over a container of which something could not be: it is watched, or counts as ended. A
// record that says Running has a process that somebody watches, or none of the pod's moves would ever come.
func (r *Runtime) adoptUnlogged(p *pod, c *state.ContainerRecord, now state.Instant) {
	if !c.State.Alive() {
		return
	}
	id := state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	l := p.io[c.Name]
	if l == nil {
		l = r.kernel.adoptUnlogged(id)
		p.io[c.Name] = l
	}
	running, err := l.AdoptProcess(c.PID, c.PIDStart)
	if err != nil {
		r.Log.Error("cannot find a container's process", "containerID", id, "error", err)
	}
	if running && !l.Watched() && r.watch(p, c.Name) == nil {
		return
	}
	if !l.Watched() {
		r.recordExit(p, c, l, now)
	}
}

const lostRecord = "what runs of the pod goes on, and what is known of it begins anew"

// LastKnown reads from the records of an earlier daemon which pods it ran, so that a manifest that turned bad
// while no daemon lived still has a last good version.
func LastKnown(runDir string) []manifest.Pod {
	recs, _ := state.Store{Dir: filepath.Join(runDir, "pods")}.ReadAll()
	var list []manifest.Pod
	for _, rec := range recs {
		if rec.Stop == nil {
			list = append(list, manifest.Pod{Object: rec.Object, File: rec.File, Doc: rec.Doc, Hash: rec.Hash, Since: rec.Since})
		}
	}
	return list
}

// logOf is where and how the output of an attempt is written.
func (r *Runtime) logOf(rec *state.Record, name string, attempt int) stdio.Log {
	settings := r.settings.Load()
	return stdio.Log{Path: r.paths.Log(rec, name, attempt), MaxSize: settings.LogMaxSize, MaxFiles: settings.LogMaxFiles}
}

package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// adopt takes over what an earlier daemon left: a crash, an upgrade and a restart look the same from here.
func (r *Runtime) adopt(now state.Instant) error {
	if err := r.ensureFolders(); err != nil {
		return err
	}
	r.recallNames()
	if err := r.continued.read(); err != nil {
		r.Log.Error("pods that were changed in place begin anew", "error", err)
	}
	if err := r.claims.read(); err != nil {
		return err // what is bound to nothing could be bound anew, to a folder that is empty
	}
	if err := r.readRollbacks(); err != nil {
		r.Log.Error("some pods cannot be put back", "error", err)
	}
	recs, err := r.records.ReadAll()
	if err != nil {
		r.Log.Error("some records are lost; their pods start anew", "error", err)
	}
	fds := r.FDStore.Received()
	for _, rec := range recs {
		p := &pod{rec: rec, live: map[string]*live{}}
		r.pods[rec.UID] = p
		for _, c := range rec.Containers {
			if err := r.adoptContainer(p, c, fds, now); err != nil {
				r.Log.Error("cannot adopt a container whole", "pod", p.name(), "container", c.Name, "error", err)
				r.adoptBare(p, c, fds, now)
			}
		}
		r.keepEnd(p)
		r.save(p)
		r.mark(rec.UID)
	}
	r.disk.wait()
	r.readResolver()
	r.readServices()
	r.restoreNetwork(now)
	r.closeUnclaimed(fds)
	r.removeStrangers()
	r.awaitExits()
	r.shareOut()
	return nil
}

// awaitExits listens for the ends of adopted containers where their pidfds will not tell.
func (r *Runtime) awaitExits() {
	if r.ExitEvents == nil || pidfdsKeepStatus() {
		return
	}
	var pids []int
	for _, p := range r.pods {
		for _, c := range p.rec.Containers {
			if c.State.Alive() {
				pids = append(pids, c.PID)
			}
		}
	}
	r.exits.await(pids, r.ExitEvents, func(err error) {
		r.Log.Warn("exit codes of adopted containers may be unknown on this kernel", "error", err)
	})
}

func (r *Runtime) adoptContainer(p *pod, c *state.ContainerRecord, fds map[string]int, now state.Instant) error {
	switch c.State {
	case state.ContainerStarting:
		return r.adoptStarting(p, c, fds, now)
	case state.ContainerPostStart, state.ContainerRunning, state.ContainerPreStop, state.ContainerStopping, state.ContainerExited:
		return r.adoptStarted(p, c, fds, now)
	case state.ContainerWaiting, state.ContainerCollected:
	}
	return nil
}

// adoptStarting settles a start in whose middle the daemon died: it came through, or it never was.
func (r *Runtime) adoptStarting(p *pod, c *state.ContainerRecord, fds map[string]int, now state.Instant) error {
	id := state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	found, err := r.engine.Find(id)
	if err != nil || found == nil || !found.Started {
		return errors.Join(err, r.discard(id), r.undoStart(c, now))
	}
	at := state.SinceBootTicks(found.StartTime, now)
	c.Started, c.PID, c.PIDStart, c.Waiting = &at, found.PID, found.StartTime, nil
	if image, err := r.imageFor(p.rec, c.Name); err == nil {
		c.ImageID = image.ID
	}
	if err := r.moveStarted(p, c, now); err != nil {
		return err
	}
	return r.adoptStarted(p, c, fds, now)
}

// adoptStarted takes over the descriptors of an attempt and looks whether its process still runs.
func (r *Runtime) adoptStarted(p *pod, c *state.ContainerRecord, fds map[string]int, now state.Instant) error {
	id := state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	stdio, stored, err := r.adoptStdio(id, fds)
	if err != nil {
		return err
	}
	l, err := r.reopenLive(p.rec, c, stdio, stored)
	if err != nil {
		return err
	}
	p.live[c.Name] = l
	if master, ok := claim(fds, id+fdTerminal); ok {
		if err := l.openTerminal(r, master, true); err != nil {
			return err
		}
	}
	if !c.State.Alive() {
		return nil
	}
	if l.pidfd, err = r.adoptProcess(id, fds); err != nil {
		return err
	}
	if l.pidfd == nil {
		if !stored {
			r.sayLost(p, c, now)
		}
		r.ended(p, c, l, now)
		return nil
	}
	r.Log.Info("container adopted", "pod", p.name(), "container", c.Name, "attempt", c.Attempt, "pid", c.PID)
	r.endOldProbes(p, c)
	return r.watch(p, c.Name)
}

// sayLost says what nobody could keep: the last output of a container that ended while no daemon was there to
// read it, and no descriptor store to hold its pipes.
func (r *Runtime) sayLost(p *pod, c *state.ContainerRecord, now state.Instant) {
	text := fmt.Sprintf("Container %s ended while podd was not running; what it wrote since podd was last there is lost", c.Name)
	r.Log.Warn("log lines are lost", "pod", p.name(), "container", c.Name, "attempt", c.Attempt)
	r.event(p, c.Name, now, corev1.EventTypeWarning, "LogLost", text)
}

// adoptBare takes over a container of which something could not be: it is watched, or counts as ended. A
// record that says Running has a process that somebody watches, or none of the pod's moves would ever come.
func (r *Runtime) adoptBare(p *pod, c *state.ContainerRecord, fds map[string]int, now state.Instant) {
	if !c.State.Alive() {
		return
	}
	id := state.ContainerID(p.rec.UID, c.Name, c.Attempt)
	l := p.live[c.Name]
	if l == nil {
		l = bare(id)
		p.live[c.Name] = l
	}
	if l.pidfd == nil {
		pidfd, err := r.adoptProcess(id, fds)
		if err != nil {
			r.Log.Error("cannot find a container's process", "containerID", id, "error", err)
		}
		l.pidfd = pidfd
	}
	if l.pidfd != nil && l.exit == 0 && r.watch(p, c.Name) == nil {
		return
	}
	if l.exit == 0 {
		r.ended(p, c, l, now)
	}
}

// reopenLive is newLive, and if what an earlier daemon left of the log's spool cannot be used, without it.
func (r *Runtime) reopenLive(rec *state.Record, c *state.ContainerRecord, stdio container.Stdio, stored bool) (*live, error) {
	l, err := r.newLive(rec, c.Name, c.Attempt, stdio, stored)
	if err == nil {
		return l, nil
	}
	id := state.ContainerID(rec.UID, c.Name, c.Attempt)
	r.Log.Error("lines of a log that were not written yet are lost", "containerID", id, "error", err)
	if err := r.engine.RemoveSpool(id); err != nil {
		return nil, err
	}
	if stdio, err = r.engine.OpenStdio(id); err != nil {
		return nil, err
	}
	return r.newLive(rec, c.Name, c.Attempt, stdio, false)
}

// adoptStdio takes the pipes from the store, or opens the FIFOs anew: what a living container has written
// since is still in them, because it holds their other end for reading too.
func (r *Runtime) adoptStdio(id string, fds map[string]int) (stdio container.Stdio, stored bool, err error) {
	stdout, haveOut := claim(fds, id+fdStdout)
	stderr, haveErr := claim(fds, id+fdStderr)
	if haveOut && haveErr {
		return container.Stdio{Stdout: stdout, Stderr: stderr}, true, nil
	}
	stdio, err = r.engine.OpenStdio(id)
	return stdio, false, err
}

// adoptProcess takes a process's descriptor from the store, or opens the process by its number; nil: it is gone.
func (r *Runtime) adoptProcess(id string, fds map[string]int) (*os.File, error) {
	if f, ok := claim(fds, id+fdProcess); ok {
		return f, nil
	}
	found, err := r.engine.Find(id)
	if err != nil || found == nil || found.PIDFD == nil {
		return nil, err
	}
	if err := r.FDStore.Put(id+fdProcess, int(found.PIDFD.Fd())); err != nil {
		r.Log.Warn("a descriptor is not kept for the next podd", "name", id+fdProcess, "error", err)
	}
	return found.PIDFD, nil
}

func claim(fds map[string]int, name string) (*os.File, bool) {
	fd, ok := fds[name]
	if !ok {
		return nil, false
	}
	delete(fds, name)
	return container.NewFile(fd, name), true
}

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

// Package adoption finds what an earlier daemon has left that no record speaks of: pods that run, and remains to take away. It
// is called by the loop when podd starts, and once more when the manifests are known.
package adoption

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/container"
	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// Kernel is what there is of containers and sandboxes. IDs are those of attempts (state.ContainerID).
type Kernel interface {
	// Attempts are the IDs of the containers that there are remains of.
	Attempts() ([]string, error)
	Find(id string) (*container.Found, error)
	Discard(id string) error
	Layers(id string) []string
	RemoveSandbox(uid types.UID) error
	// UnmapAll takes away the mounts that a daemon has left that died while it started a container.
	UnmapAll() error
}

// Orphans are pods whose containers run and whose records are lost. They run on: a manifest that speaks of one gives it a new
// record, from what is observed. They end when the manifests are known and none does. The zero Orphans has none.
type Orphans struct {
	containers map[types.UID]map[string]int // the attempts that run, by the container's name
}

// FindOrphans looks for containers that run and whose pods are not known. After an error it may not be all of them.
func FindOrphans(k Kernel, known func(types.UID) bool) (Orphans, error) {
	o := Orphans{containers: map[types.UID]map[string]int{}}
	ids, err := k.Attempts()
	for _, id := range ids {
		uid, name, attempt, ok := state.ParseContainerID(id)
		if !ok || known(uid) {
			continue
		}
		found, err := k.Find(id)
		if err != nil || found == nil || found.PIDFD == nil {
			continue
		}
		_ = found.PIDFD.Close()
		if !found.Started {
			continue
		}
		if o.containers[uid] == nil {
			o.containers[uid] = map[string]int{}
		}
		o.containers[uid][name] = attempt
	}
	return o, err
}

// Len is how many pods there are.
func (o *Orphans) Len() int { return len(o.containers) }

// Has says whether a pod is one of them.
func (o *Orphans) Has(uid types.UID) bool { return o.containers[uid] != nil }

// Own says of a descriptor's name that it is of an orphan's container.
func (o *Orphans) Own(descriptor string) bool {
	i := strings.LastIndex(descriptor, ".")
	if i < 0 {
		return false
	}
	uid, _, _, ok := state.ParseContainerID(descriptor[:i])
	return ok && o.Has(uid)
}

// TakeRecord gives an orphan a new record, if the pod of a manifest is one; it is none any more. Its sandbox and its volumes are
// made once more, which changes nothing in those that are there. Restart counts come from the logs.
func (o *Orphans) TakeRecord(k Kernel, logs executor.LogFolders, m *manifest.Pod, now state.Instant) *state.Record {
	running := o.containers[m.Object.UID]
	if running == nil {
		return nil
	}
	delete(o.containers, m.Object.UID)
	rec := state.NewRecord(m.Object.UID, m.Object, now)
	rec.File, rec.Doc, rec.Hash, rec.Since = m.File, m.Doc, m.Hash, m.Since
	logs.CountAttempts(rec)
	observe(rec, running, now)
	for _, c := range rec.Containers {
		if attempt, runs := running[c.Name]; runs {
			c.Layers = k.Layers(state.ContainerID(rec.UID, c.Name, attempt))
		}
	}
	return rec
}

// observe puts into a new record what follows from the attempts that run: adoption finds the rest.
func observe(r *state.Record, running map[string]int, now state.Instant) {
	last := -1 // the last container that runs; those before it have come through
	for i, c := range r.Containers {
		attempt, runs := running[c.Name]
		if runs {
			c.State, c.Attempt, last = state.ContainerStarting, attempt, i
			c.Done = c.Kind == state.KindSidecar
			r.Initialized = r.Initialized || c.Kind == state.KindMain
		}
	}
	for i, c := range r.Containers {
		_, runs := running[c.Name]
		switch {
		case runs:
		case c.Kind == state.KindInit && (i < last || r.Initialized):
			c.Attempt = max(c.Attempt, 0)
			c.State, c.Done = state.ContainerCollected, true
			c.Ended = &state.Termination{ID: state.ContainerID(r.UID, c.Name, c.Attempt), Reason: "Completed", Started: now, Finished: now}
		case c.Attempt >= 0:
			// It has run. How it ended is not known, and counts as a failure. The kubelet's words
			c.State = state.ContainerCollected
			c.Ended = &state.Termination{
				ID: state.ContainerID(r.UID, c.Name, c.Attempt), Code: 137, Reason: "ContainerStatusUnknown",
				Message: "The container could not be located when the pod was taken over", Started: now, Finished: now,
			}
		}
	}
}

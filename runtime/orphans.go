package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/executor"
	"podd/runtime/lifecycle"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// orphans are pods whose containers run and whose records are lost. They run on: a manifest that speaks of one gives it a
// new record, from what is observed. They end when the manifests are known and none does.
type orphans struct {
	containers map[types.UID]map[string]int // the attempts that run, by the container's name
}

// findOrphans looks for containers that run and that no record speaks of.
func (r *Runtime) findOrphans() {
	r.orphans = orphans{containers: map[types.UID]map[string]int{}}
	ids, err := r.kernel.attempts()
	if err != nil {
		r.Log.Error("cannot look for containers without a record", "error", err)
	}
	for _, id := range ids {
		uid, name, attempt, ok := parseContainerID(id)
		if !ok || r.pods[uid] != nil {
			continue
		}
		found, err := r.kernel.Find(id)
		if err != nil || found == nil || found.PIDFD == nil {
			continue
		}
		_ = found.PIDFD.Close()
		if !found.Started {
			continue
		}
		if r.orphans.containers[uid] == nil {
			r.orphans.containers[uid] = map[string]int{}
		}
		r.orphans.containers[uid][name] = attempt
	}
}

// ofOrphan says of a descriptor's name that it is of an orphan's container.
func (r *Runtime) ofOrphan(name string) bool {
	id, _, _ := cutLast(name, ".")
	uid, _, _, ok := parseContainerID(id)
	return ok && r.orphans.containers[uid] != nil
}

// parseContainerID takes state.ContainerID apart.
func parseContainerID(id string) (uid types.UID, name string, attempt int, ok bool) {
	rest, number, ok := cutLast(id, ".")
	if !ok {
		return "", "", 0, false
	}
	owner, name, ok := cutLast(rest, ".")
	attempt, err := strconv.Atoi(number)
	return types.UID(owner), name, attempt, ok && err == nil && attempt >= 0 && owner != ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// adoptOrphan gives a pod whose record is lost a new one, if it is an orphan. Its sandbox and its volumes are made once more,
// which changes nothing in those that are there. Restart counts come from the logs.
func (r *Runtime) adoptOrphan(m *manifest.Pod, now state.Instant) *lifecycle.Pod {
	running := r.orphans.containers[m.Object.UID]
	if running == nil {
		return nil
	}
	delete(r.orphans.containers, m.Object.UID)
	rec := state.NewRecord(m.Object.UID, m.Object, now)
	rec.File, rec.Doc, rec.Hash, rec.Since = m.File, m.Doc, m.Hash, m.Since
	executor.LogFolders{Paths: r.paths}.CountAttempts(rec)
	observe(rec, running, now)
	for _, c := range rec.Containers {
		if attempt, runs := running[c.Name]; runs {
			c.Layers = r.kernel.layers(state.ContainerID(rec.UID, c.Name, attempt))
		}
	}
	p := lifecycle.NewPod(rec)
	r.pods[rec.UID] = p
	r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "RecordLost",
		fmt.Sprintf("The record of pod %q was lost; it runs on, and what is known of it begins anew", rec.Object.Name))
	r.lifecycle.Adopt(p, now)
	for _, c := range rec.Containers {
		if c.Started != nil && c.Started.Mono < rec.Created.Mono {
			rec.Created = *c.Started
		}
	}
	return p
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

// endOrphans takes away the orphans that no manifest speaks of.
func (r *Runtime) endOrphans() {
	for uid, running := range r.orphans.containers {
		r.Log.Warn("a pod without a record and without a manifest is taken away", "uid", uid)
		var errs []error
		for name, attempt := range running {
			errs = append(errs, r.kernel.Discard(state.ContainerID(uid, name, attempt)))
		}
		errs = append(errs, r.kernel.removeSandbox(uid), r.volumes.RemoveMemory(string(uid)))
		for _, qos := range []corev1.PodQOSClass{corev1.PodQOSGuaranteed, corev1.PodQOSBurstable, corev1.PodQOSBestEffort} {
			path, err := r.Cgroups.PodPath(string(uid), strings.ToLower(string(qos)))
			if err == nil {
				err = r.Cgroups.RemovePod(path)
			}
			errs = append(errs, err)
		}
		if err := errors.Join(errs...); err != nil {
			r.Log.Error("cannot take away a pod without a record", "uid", uid, "error", err)
		}
	}
	clear(r.orphans.containers)
	r.kernel.dropUnclaimed(nil)
}

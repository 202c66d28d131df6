package adoption

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// Remains takes away what no pod has: the remains of an earlier boot, or of a step that a daemon has died in.
type Remains struct {
	Kernel  Kernel
	Paths   state.Paths
	Volumes Volumes
	Cgroups Cgroups
	// Network, Users and Levels have addresses, ranges of ids, and SELinux levels, by the pods' UIDs.
	Network, Users, Levels Collector
}

// Collector keeps what it has for some pods, and takes away the rest.
type Collector interface {
	Collect(keep map[string]bool) error
}

// Cgroups are those of the pods.
type Cgroups interface {
	Collector
	PodPath(uid, qos string) (string, error)
	RemovePod(path string) error
}

// Volumes are the folders of the pods' volumes.
type Volumes interface {
	Orphans(known map[string]bool) (uids []string)
	RemoveMemory(uid string) error
}

// Keep is what Remove leaves alone.
type Keep struct {
	pods, containers map[string]bool
}

// Pod keeps what a pod has; its containers are kept one by one.
func (k *Keep) Pod(uid types.UID) {
	if k.pods == nil {
		k.pods, k.containers = map[string]bool{}, map[string]bool{}
	}
	k.pods[string(uid)] = true
}

// Container keeps a container.
func (k *Keep) Container(id string) { k.containers[id] = true }

// Record keeps a pod, the process that its containers share their processes by, and those of its containers that are adopted.
func (k *Keep) Record(rec *state.Record, adopted func(name string) bool) {
	k.Pod(rec.UID)
	if sandbox.SharesProcesses(rec.Object) {
		k.Container(sandbox.PauseID(rec.UID))
	}
	for _, c := range rec.Containers {
		if adopted(c.Name) {
			k.Container(state.ContainerID(rec.UID, c.Name, c.Attempt))
		}
	}
}

// Orphans keeps what is of orphans.
func (k *Keep) Orphans(o *Orphans) {
	for uid, running := range o.containers {
		k.Pod(uid)
		for name, attempt := range running {
			k.Container(state.ContainerID(uid, name, attempt))
		}
	}
}

// Remove takes away containers, sandboxes, volumes on tmpfs, addresses and cgroups that are not to be kept. An error keeps it from
// nothing else.
func (r *Remains) Remove(keep Keep) error {
	ids, err := r.Kernel.Attempts()
	errs := []error{err}
	for _, id := range ids {
		if !keep.containers[id] {
			errs = append(errs, r.Kernel.Discard(id))
		}
	}
	for _, parent := range []string{"ns", "sandbox"} {
		entries, _ := os.ReadDir(filepath.Join(r.Paths.Run, parent))
		for _, e := range entries {
			if !keep.pods[e.Name()] && !strings.HasPrefix(e.Name(), ".") {
				errs = append(errs, r.Kernel.RemoveSandbox(types.UID(e.Name())))
			}
		}
	}
	for _, uid := range r.Volumes.Orphans(keep.pods) {
		errs = append(errs, r.Volumes.RemoveMemory(uid))
	}
	errs = append(errs, r.Network.Collect(keep.pods), r.Cgroups.Collect(keep.pods), r.Users.Collect(keep.pods), r.Levels.Collect(keep.pods), r.Kernel.UnmapAll())
	return errors.Join(errs...)
}

// RemoveOrphans takes away the orphans, each with its error; o has none any more.
func (r *Remains) RemoveOrphans(o *Orphans) map[types.UID]error {
	removed := map[types.UID]error{}
	for uid, running := range o.containers {
		var errs []error
		for name, attempt := range running {
			errs = append(errs, r.Kernel.Discard(state.ContainerID(uid, name, attempt)))
		}
		errs = append(errs, r.Kernel.RemoveSandbox(uid), r.Volumes.RemoveMemory(string(uid)))
		for _, qos := range []corev1.PodQOSClass{corev1.PodQOSGuaranteed, corev1.PodQOSBurstable, corev1.PodQOSBestEffort} {
			path, err := r.Cgroups.PodPath(string(uid), strings.ToLower(string(qos)))
			if err == nil {
				err = r.Cgroups.RemovePod(path)
			}
			errs = append(errs, err)
		}
		removed[uid] = errors.Join(errs...)
	}
	clear(o.containers)
	return removed
}

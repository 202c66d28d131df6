package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/netns"
	"podd/runtime/container"
	"podd/runtime/state"
	"podd/userns"
)

// Users gives pods ids of their own.
type Users interface {
	Acquire(id string) (userns.Range, error)
	Lookup(id string) (userns.Range, bool)
	Release(id string) error
	Collect(keep map[string]bool) error
}

// hasOwnUsers says that the pod has a user namespace of its own. KEP-127
func hasOwnUsers(p *corev1.Pod) bool { return p.Spec.HostUsers != nil && !*p.Spec.HostUsers }

// acquireUsers gives a pod its ids; nil: it has the machine's.
func (r *Runtime) acquireUsers(rec *state.Record) (*netns.Users, error) {
	if !hasOwnUsers(rec.Object) {
		return nil, nil
	}
	// Its root looks its own root folder up by name, and is nobody on the way there.
	if err := userns.Reachable(r.engine.MountDir); err != nil {
		return nil, err
	}
	ids, err := r.Users.Acquire(string(rec.UID))
	if err != nil {
		return nil, err
	}
	return &netns.Users{First: int(ids.First), Count: int(ids.Count)}, nil
}

// checkUsers says of a new sandbox whether containers can have their roots with its ids.
func (r *Runtime) checkUsers(rec *state.Record) error {
	if !hasOwnUsers(rec.Object) {
		return nil
	}
	return userns.Check(r.RootDir, r.paths.UserNamespace(rec.UID))
}

// usersOf are the ids that a pod has; nil: the machine's.
func (r *Runtime) usersOf(rec *state.Record) *container.Users {
	if !hasOwnUsers(rec.Object) {
		return nil
	}
	ids, _ := r.Users.Lookup(string(rec.UID)) // the sandbox has them
	return &container.Users{NS: r.paths.UserNamespace(rec.UID), First: int(ids.First), Count: int(ids.Count)}
}

// give makes a file that podd has made for a pod its root's; those of pods with the machine's ids are already.
func (r *Runtime) give(rec *state.Record, path string) error {
	u := r.usersOf(rec)
	if u == nil {
		return nil
	}
	if err := os.Lchown(path, u.First, u.First); err != nil {
		return fmt.Errorf("cannot give pod %q a file: %w", rec.Object.Name, err)
	}
	return nil
}

// releaseUsers gives back the ids of a pod whose namespaces are gone.
func (r *Runtime) releaseUsers(uid types.UID) error { return r.Users.Release(string(uid)) }

// mappedDir holds mounts for the moment in which they are needed.
func (r *Runtime) mappedDir() string { return filepath.Join(r.RunDir, "mapped") }

// run starts a container; the layers of one with ids of its own are shown to its root file system with them.
func (r *Runtime) run(c *container.Config, hold func(*container.Process) error) (*container.Process, error) {
	u := c.Sandbox.Users
	if u == nil {
		return r.engine.Start(c, hold)
	}
	base, folders := r.engine.BaseLayer, c.Image.Layers
	unmapped := userns.Check(base, u.NS)
	if unmapped == nil {
		folders = append([]string{base}, folders...)
	}
	var process *container.Process
	err := r.withMapped(c.ID, u.NS, folders, func(layers []string) (err error) {
		if unmapped != nil { // a tmpfs before Linux 6.3: it has nothing but mount points
			layers = append([]string{base}, layers...)
		}
		mapped := *c
		mapped.Image.Layers = layers
		process, err = r.engine.Start(&mapped, hold)
		return err
	})
	return process, err
}

// withMapped calls fn with places where folders have the owners that a user namespace gives them, for the time of the call.
func (r *Runtime) withMapped(id, namespace string, folders []string, fn func(places []string) error) error {
	dir := filepath.Join(r.mappedDir(), id)
	places, err := userns.MapAll(dir, namespace, folders)
	if err != nil {
		return err
	}
	err = fn(places)
	if left := userns.Unmap(dir); left != nil {
		r.Log.Warn("mounts of layers stay until podd starts again", "containerID", id, "error", left)
	}
	return err
}

// unmapAll takes away what a daemon that died has left mapped.
func (r *Runtime) unmapAll() error {
	entries, err := os.ReadDir(r.mappedDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, userns.Unmap(filepath.Join(r.mappedDir(), e.Name())))
	}
	return errors.Join(errs...)
}

// isMapped says of a volume that its files' ids are the pod's own when it is mounted; those of an image are so already.
func isMapped(p *corev1.Pod, v *corev1.Volume) bool { return hasOwnUsers(p) && v.Image == nil }

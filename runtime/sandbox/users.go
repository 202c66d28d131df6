package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/netns/namespace"
	"podd/runtime/container"
	"podd/runtime/container/spec"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
)

// Users gives pods ids of their own.
type Users interface {
	Acquire(id string) (userns.Range, error)
	Claim(id string, r userns.Range) error
	Lookup(id string) (userns.Range, bool)
	Release(id string) error
	Collect(keep map[string]bool) error
}

// HasOwnUsers says that the pod has a user namespace of its own, because it asks for one or because it was given one. KEP-127
func HasOwnUsers(rec *state.Record) bool {
	if asks := rec.Object.Spec.HostUsers; asks != nil {
		return !*asks
	}
	return rec.Sandbox.OwnUsers
}

// acquireUsers gives a pod its ids; nil: it has the machine's. The record says so from then on.
func (m *Manager) acquireUsers(rec *state.Record, in Inputs) (*namespace.Users, error) {
	handler := rec.Sandbox.Handler
	in.AutoUsers = in.AutoUsers || handler != nil && handler.UserNamespaces != ""
	own, why := m.decideUsers(rec, in)
	rec.Sandbox.OwnUsers, rec.Sandbox.HostUsers, rec.Sandbox.NoUsers = own, why, !own && why != "" && why == m.whyNoUsers()
	required := handler != nil && handler.UserNamespaces == state.UsersRequired
	if !own && required {
		if why == "" {
			why = "hostUsers: true"
		}
		return nil, fmt.Errorf("runtime handler %q runs no pod without user ids of its own, and this one cannot have them: %s", handler.Name, why)
	}
	if !own {
		return nil, nil
	}
	// Its root looks its own root folder up by name, and is nobody on the way there.
	if err := userns.Reachable(m.Engine.MountDir); err != nil {
		return nil, err
	}
	ids, err := m.Users.Acquire(string(rec.UID))
	if errors.Is(err, userns.ErrExhausted) && rec.Object.Spec.HostUsers == nil && !required {
		rec.Sandbox.OwnUsers, rec.Sandbox.HostUsers = false, err.Error()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &namespace.Users{First: int(ids.First), Count: int(ids.Count)}, nil
}

// giveUpUsers takes away what belongs to a pod's own ids, so that it gets the machine's. Nothing of the pod runs.
func (m *Manager) giveUpUsers(rec *state.Record) error {
	why := rec.Sandbox.GiveUp
	if why == "" {
		return nil
	}
	if SharesProcesses(rec.Object) {
		if err := m.Engine.Discard(PauseID(rec.UID)); err != nil {
			return err
		}
	}
	if err := m.RemoveOf(rec.UID); err != nil {
		return err
	}
	rec.Sandbox.OwnUsers, rec.Sandbox.HostUsers, rec.Sandbox.GiveUp = false, why, ""
	return nil
}

// AdoptLeases leases a pod that runs the ids and the SELinux level that its processes have, in case those leases were lost.
func (m *Manager) AdoptLeases(rec *state.Record) error {
	return errors.Join(m.adoptUsers(rec), m.adoptLevel(rec))
}

func (m *Manager) adoptUsers(rec *state.Record) error {
	if !HasOwnUsers(rec) {
		return nil
	}
	for _, c := range rec.Containers {
		if !c.State.Alive() {
			continue
		}
		ids, ok := userns.RangeOf(c.PID)
		if !ok {
			continue
		}
		if err := m.Users.Claim(string(rec.UID), ids); err != nil {
			return fmt.Errorf("cannot lease pod %q the ids %s that it has: %w", rec.Object.Name, ids, err)
		}
		return nil
	}
	return nil
}

// checkUsers says of a new sandbox whether containers can have their roots with its ids.
func (m *Manager) checkUsers(rec *state.Record) error {
	if !HasOwnUsers(rec) {
		return nil
	}
	return userns.Check(m.Paths.Root, m.Paths.UserNamespace(rec.UID))
}

// usersOf are the ids that a pod has; nil: the machine's.
func (m *Manager) usersOf(rec *state.Record) *spec.Users {
	if !HasOwnUsers(rec) {
		return nil
	}
	ids, _ := m.Users.Lookup(string(rec.UID)) // the sandbox has them
	return &spec.Users{NS: m.Paths.UserNamespace(rec.UID), First: int(ids.First), Count: int(ids.Count)}
}

// Chown makes a file that podd has made for a pod its root's; those of pods with the machine's ids are already.
func (m *Manager) Chown(rec *state.Record, path string) error {
	u := m.usersOf(rec)
	if u == nil {
		return nil
	}
	if err := os.Lchown(path, u.First, u.First); err != nil {
		return fmt.Errorf("cannot give pod %q a file: %w", rec.Object.Name, err)
	}
	return nil
}

// releaseUsers gives back the ids of a pod whose namespaces are gone.
func (m *Manager) releaseUsers(uid types.UID) error { return m.Users.Release(string(uid)) }

// mappedDir holds mounts for the moment in which they are needed.
func (m *Manager) mappedDir() string { return filepath.Join(m.Paths.Run, "mapped") }

// Start starts a container; the layers of one with ids of its own are shown to its root file system with them.
func (m *Manager) Start(c *spec.Config, hold func(*container.Process) error) (*container.Process, error) {
	u := c.Sandbox.Users
	if u == nil {
		return m.Engine.Start(c, hold)
	}
	base, folders := m.Engine.BaseLayer, c.Image.Layers
	unmapped := userns.Check(base, u.NS)
	if unmapped == nil {
		folders = append([]string{base}, folders...)
	}
	var process *container.Process
	err := m.WithMapped(c.ID, u.NS, folders, func(layers []string) (err error) {
		if unmapped != nil { // a tmpfs before Linux 6.3: it has nothing but mount points
			layers = append([]string{base}, layers...)
		}
		mapped := *c
		mapped.Image.Layers = layers
		process, err = m.Engine.Start(&mapped, hold)
		return err
	})
	return process, err
}

// WithMapped calls fn with places where folders have the owners that a user namespace gives them, for the time of the call.
func (m *Manager) WithMapped(id, namespace string, folders []string, fn func(places []string) error) error {
	dir := filepath.Join(m.mappedDir(), id)
	places, err := userns.MapAll(dir, namespace, folders)
	if err != nil {
		return err
	}
	err = fn(places)
	if left := userns.Unmap(dir); left != nil {
		m.Log.Warn("mounts of layers stay until podd starts again", "containerID", id, "error", left)
	}
	return err
}

// UnmapAll takes away what a daemon that died has left mapped.
func (m *Manager) UnmapAll() error {
	entries, err := os.ReadDir(m.mappedDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, userns.Unmap(filepath.Join(m.mappedDir(), e.Name())))
	}
	return errors.Join(errs...)
}

// IsMapped says of a volume that its files' ids are the pod's own when it is mounted; those of an image are so already.
func IsMapped(rec *state.Record, v *corev1.Volume) bool { return HasOwnUsers(rec) && v.Image == nil }

package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"podd/runtime/api"
	"podd/runtime/executor"
	"podd/runtime/volume"
)

// Delete removes what a claim holds; the folder goes with what else Disk does. A claim whose manifest stays is bound anew, to an
// empty folder. The errors are those of the API.
func (c *Claims) Delete(v View, namespace, name string) error {
	key := namespace + "/" + name
	bound := c.bound[key]
	switch user := v.userOf(namespace, name); {
	case bound == nil && c.Objects.Get(KindClaim, namespace, name) == nil:
		return api.AsNotFound(fmt.Errorf("persistentvolumeclaims %q not found", name))
	case user != "":
		return api.AsConflict(fmt.Errorf("pod %q uses persistentvolumeclaim %q; remove the pod first", user, name))
	case bound != nil:
		c.drop(key, bound)
		c.Bind(v)
		c.persist()
	}
	return nil
}

// DataFolder is where a claim's data is; alone: it is to be replaced, and so no pod may use it. The errors are those of the API.
func (c *Claims) DataFolder(v View, namespace, name string, alone bool) (executor.ClaimFolder, error) {
	key := namespace + "/" + name
	bound, user := c.bound[key], v.userOf(namespace, name)
	switch {
	case bound == nil:
		return executor.ClaimFolder{}, api.AsNotFound(fmt.Errorf("persistentvolumeclaim %q is not there or not bound", name))
	case alone && user != "":
		return executor.ClaimFolder{}, api.AsConflict(fmt.Errorf("pod %q uses persistentvolumeclaim %q; remove the pod first", user, name))
	case bound.Share != nil:
		return executor.ClaimFolder{}, api.AsConflict(fmt.Errorf("persistentvolumeclaim %q is bound to %s of an NFS server; keep and restore its data there", name, bound.Place()))
	case alone && bound.Folder != "":
		return executor.ClaimFolder{}, api.AsConflict(fmt.Errorf("persistentvolumeclaim %q is bound to a folder of the host, %s; restore it there yourself", name, bound.Folder))
	}
	a := executor.ClaimFolder{Folder: c.folder(key, bound), Dir: c.dir}
	if o := c.Objects.Get(KindClaim, namespace, name); o != nil {
		a.Size = storageRequest(o)
	}
	return a, nil
}

// restoring has the folders that archives are unpacked to.
var restoring sync.Map

// Restore puts what a tar archive holds in the place of what a claim holds, whole or not at all. It belongs to no loop: check is
// asked again, once all is there, whether a pod has come meanwhile.
func Restore(a executor.ClaimFolder, in io.Reader, check func() error) error {
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of claims: %w", err)
	}
	next := a.Folder + "_restored" // no claim has an underscore in its name
	if _, busy := restoring.LoadOrStore(next, true); busy {
		return api.AsConflict(errors.New("another archive is being restored to this claim; wait until it is done"))
	}
	defer restoring.Delete(next)
	if err := volume.RemoveFolder(next); err != nil {
		return err
	}
	if err := volume.Restore(next, in, a.Size); err != nil {
		return api.AsBadRequest(err)
	}
	if err := check(); err != nil {
		_ = volume.RemoveFolder(next)
		return err
	}
	return volume.Replace(a.Folder, next)
}

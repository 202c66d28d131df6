package runtime

import (
	"context"
	"fmt"
	"io"
	"os"

	"podd/runtime/api"
	"podd/runtime/executor"
	"podd/runtime/state"
	"podd/runtime/volume"
)

// DeleteClaim removes what a claim holds. One whose manifest stays is bound anew, to an empty folder.
func (b *Backend) DeleteClaim(ctx context.Context, namespace, name string) error {
	var out error
	err := b.call(ctx, func() {
		key := namespace + "/" + name
		bound := b.claims.bound[key]
		switch user := b.userOf(namespace, name); {
		case bound == nil && b.objects.Get(kindClaim, namespace, name) == nil:
			out = api.AsNotFound(fmt.Errorf("persistentvolumeclaims %q not found", name))
		case user != "":
			out = api.AsConflict(fmt.Errorf("pod %q uses persistentvolumeclaim %q; remove the pod first", user, name))
		case bound != nil:
			b.dropClaim(key, bound)
			b.bindClaims(state.Now())
			b.disk.Persist(b.claims.path, b.claims.bound, "what claims are bound to")
		}
	})
	if err == nil {
		b.disk.Wait() // gone means gone
		err = out
	}
	return err
}

// claimFolder is where a claim's data is; alone: no pod may use it.
func (b *Backend) claimFolder(ctx context.Context, namespace, name string, alone bool) (a executor.ClaimFolder, err error) {
	callErr := b.call(ctx, func() {
		key := namespace + "/" + name
		bound, user := b.claims.bound[key], b.userOf(namespace, name)
		switch {
		case bound == nil:
			err = api.AsNotFound(fmt.Errorf("persistentvolumeclaim %q is not there or not bound", name))
		case alone && user != "":
			err = api.AsConflict(fmt.Errorf("pod %q uses persistentvolumeclaim %q; remove the pod first", user, name))
		case alone && bound.Folder != "":
			err = api.AsConflict(fmt.Errorf("persistentvolumeclaim %q is bound to a folder of the host, %s; restore it there yourself", name, bound.Folder))
		default:
			a = executor.ClaimFolder{Folder: b.claims.folder(key, bound), Dir: b.claims.dir}
			if o := b.objects.Get(kindClaim, namespace, name); o != nil {
				a.Size = storageRequest(o)
			}
		}
	})
	if callErr != nil {
		return a, callErr
	}
	return a, err
}

// BackupClaim writes what a claim holds as a tar archive.
func (b *Backend) BackupClaim(ctx context.Context, namespace, name string, w io.Writer) error {
	a, err := b.claimFolder(ctx, namespace, name, false)
	if err != nil {
		return err
	}
	return volume.Backup(a.Folder, w)
}

// RestoreClaim puts what an archive holds in the place of what a claim holds, whole or not at all.
func (b *Backend) RestoreClaim(ctx context.Context, namespace, name string, in io.Reader) error {
	a, err := b.claimFolder(ctx, namespace, name, true)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of claims: %w", err)
	}
	next := a.Folder + ".restored"
	if err := volume.RemoveFolder(next); err != nil {
		return err
	}
	if err := volume.Restore(next, in, a.Size); err != nil {
		return api.AsBadRequest(err)
	}
	// A pod may have come meanwhile.
	if _, err := b.claimFolder(ctx, namespace, name, true); err != nil {
		_ = volume.RemoveFolder(next)
		return err
	}
	return volume.Replace(a.Folder, next)
}

package backend

import (
	"context"
	"io"

	"podd/runtime/storage"
	"podd/runtime/volume"
)

// DeleteClaim removes what a claim holds. One whose manifest stays is bound anew, to an empty folder.
func (b *Backend) DeleteClaim(ctx context.Context, namespace, name string) error {
	return b.Runtime.DeleteClaim(ctx, namespace, name)
}

// BackupClaim writes what a claim holds as a tar archive.
func (b *Backend) BackupClaim(ctx context.Context, namespace, name string, w io.Writer) error {
	a, err := b.Runtime.ClaimFolder(ctx, namespace, name, false)
	if err != nil {
		return err
	}
	return volume.Backup(a.Folder, w)
}

// RestoreClaim puts what an archive holds in the place of what a claim holds, whole or not at all.
func (b *Backend) RestoreClaim(ctx context.Context, namespace, name string, in io.Reader) error {
	a, err := b.Runtime.ClaimFolder(ctx, namespace, name, true)
	if err != nil {
		return err
	}
	return storage.Restore(a, in, func() error {
		_, err := b.Runtime.ClaimFolder(ctx, namespace, name, true)
		return err
	})
}

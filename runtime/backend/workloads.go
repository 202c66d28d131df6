package backend

import "context"

// SetWorkload sets a field of a workload until its file changes that field; nil takes the field away.
func (b *Backend) SetWorkload(ctx context.Context, kind, namespace, name, path string, value any) error {
	return b.Runtime.SetWorkload(ctx, kind, namespace, name, path, value)
}

// RestartWorkload gives all pods of a workload successors.
func (b *Backend) RestartWorkload(ctx context.Context, kind, namespace, name string) error {
	return b.Runtime.RestartWorkload(ctx, kind, namespace, name)
}

// UndoWorkload puts the template of an earlier revision of a workload back; 0: that of the one before.
func (b *Backend) UndoWorkload(ctx context.Context, kind, namespace, name string, revision int64) (said string, err error) {
	return b.Runtime.UndoWorkload(ctx, kind, namespace, name, revision)
}

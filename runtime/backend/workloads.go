package backend

import (
	"context"

	"podd/runtime/api"
)

// SetWorkload sets a field of a workload until its file changes that field.
func (b *Backend) SetWorkload(ctx context.Context, o api.WorkloadName, c *api.WorkloadChange) error {
	return b.Runtime.SetWorkload(ctx, o, c)
}

// RestartWorkload gives all pods of a workload successors.
func (b *Backend) RestartWorkload(ctx context.Context, o api.WorkloadName, dryRun bool) error {
	return b.Runtime.RestartWorkload(ctx, o, dryRun)
}

// UndoWorkload puts the template of an earlier revision of a workload back.
func (b *Backend) UndoWorkload(ctx context.Context, o api.WorkloadName, to *api.WorkloadUndo) (said string, err error) {
	return b.Runtime.UndoWorkload(ctx, o, to)
}

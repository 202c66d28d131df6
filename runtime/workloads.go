package runtime

import (
	"context"
	"errors"

	"podd/runtime/api"
	"podd/runtime/controller"
	"podd/runtime/objects"
)

// workload runs fn in the loop and gives its error the code that the API has for it.
func (q Requests) workload(ctx context.Context, fn func() error) (err error) {
	if callErr := q.call(ctx, func() { err = fn() }); callErr != nil {
		return callErr
	}
	switch {
	case errors.Is(err, controller.ErrNotFound):
		return api.AsNotFound(err)
	case err != nil:
		return api.AsBadRequest(err)
	}
	return nil
}

// SetWorkload sets a field of a workload until its file changes that field; nil takes the field away.
func (q Requests) SetWorkload(ctx context.Context, kind, namespace, name, path string, value any) error {
	return q.workload(ctx, func() error {
		return q.loop.controllers.Set(objects.Key{Kind: kind, Namespace: namespace, Name: name}, path, value)
	})
}

// RestartWorkload gives all pods of a workload successors.
func (q Requests) RestartWorkload(ctx context.Context, kind, namespace, name string) error {
	return q.workload(ctx, func() error {
		return q.loop.controllers.Restart(objects.Key{Kind: kind, Namespace: namespace, Name: name}, q.loop.now())
	})
}

// UndoWorkload puts the template of an earlier revision of a workload back; 0: that of the one before.
func (q Requests) UndoWorkload(ctx context.Context, kind, namespace, name string, revision int64) (said string, err error) {
	err = q.workload(ctx, func() (err error) {
		said, err = q.loop.controllers.Undo(objects.Key{Kind: kind, Namespace: namespace, Name: name}, revision)
		return err
	})
	return said, err
}

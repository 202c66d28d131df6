package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/cmd/podd/internal/cli/printers"
)

// follow prints what is there and then each change, until it is interrupted.
func (g *get) follow(ctx context.Context, r *objectType, names []string, p printers.Printer) error {
	q := g.query(names)
	if len(names) == 1 {
		// One that does not exist is an error, as without -w.
		if _, err := g.fetch(ctx, r.path(g.namespace, names[0]), nil, p); err != nil {
			return err
		}
	}
	b, err := g.fetch(ctx, r.path(g.namespace, ""), q, p)
	if err != nil {
		return err
	}
	var list metav1.List
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	if _, err := p.Print(b); err != nil {
		return err
	}
	if err := p.Flush(); err != nil {
		return err
	}
	q.Set("watch", "true")
	q.Set("resourceVersion", list.ResourceVersion)
	resp, err := g.client().Get(ctx, r.path(g.namespace, ""), q, p.Accept())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return g.printChanges(ctx, resp.Body, p)
}

func (g *get) printChanges(ctx context.Context, body io.Reader, p printers.Printer) error {
	dec := json.NewDecoder(body)
	for {
		var e struct {
			Type   watch.EventType `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		err := dec.Decode(&e)
		switch {
		case ctx.Err() != nil:
			return context.Canceled
		case errors.Is(err, io.EOF):
			return errors.New("the daemon has ended the watch")
		case err != nil:
			return fmt.Errorf("cannot read the daemon's changes: %w", err)
		case e.Type == watch.Bookmark:
			continue
		case e.Type == watch.Error:
			var s metav1.Status
			if err := json.Unmarshal(e.Object, &s); err != nil {
				return fmt.Errorf("cannot understand the daemon's answer: %w", err)
			}
			return &apierrors.StatusError{ErrStatus: s}
		}
		if _, err := p.Print(e.Object); err != nil {
			return err
		}
		if err := p.Flush(); err != nil {
			return err
		}
	}
}

package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/lifecycle"
	"podd/runtime/node"
	"podd/runtime/scheduler"
	"podd/runtime/state"
)

// schedule looks at the pods of controllers that are not on the board yet, the most important first, then the oldest, when
// something has changed that may make room for them. Once on the board a pod stays, as in Kubernetes.
func (r *Runtime) schedule(now state.Instant) {
	if !r.reschedule || r.stopping {
		return
	}
	r.reschedule = false
	var waiting []*lifecycle.Pod
	for _, p := range r.pods {
		if unscheduled(p.Record) && r.wanted(p) {
			waiting = append(waiting, p)
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.SortFunc(waiting, func(a, b *lifecycle.Pod) int {
		return cmp.Or(-cmp.Compare(priority(a), priority(b)), cmp.Compare(a.Record.Created.Mono, b.Record.Created.Mono), cmp.Compare(a.Name(), b.Name()))
	})
	board := r.board()
	for _, p := range waiting {
		spec := &p.Record.Object.Spec
		why := board.Refuse(spec)
		if why == "" {
			board.Add(spec)
			at := now
			p.Record.Scheduled = &at
			r.save(p)
		}
		r.setUnfit(p, why, now)
		r.mark(p.Record.UID)
	}
}

// syncAll lets controllers look at what has changed, and the pods that they have made come onto the board.
func (r *Runtime) syncAll(now state.Instant) {
	r.syncControllers(now)
	r.schedule(now)
}

// board is the node as the scheduler sees it.
func (r *Runtime) board() *scheduler.Board {
	b := &scheduler.Board{
		Name: r.NodeName, Labels: node.Labels(r.NodeName, r.Settings.Labels),
		Unschedulable: r.Cordon().Unschedulable, Allocatable: node.Capacity(r.RootDir),
	}
	for _, p := range r.pods {
		if s := p.Record.State; !unscheduled(p.Record) && s != state.PodFinished && s != state.PodGone && p.Unfit == "" {
			b.Add(&p.Record.Object.Spec)
		}
	}
	return b
}

// unscheduled says of a pod of a controller that it is not on the board yet.
func unscheduled(rec *state.Record) bool {
	return rec.Made && rec.Scheduled == nil && rec.State == state.PodWaiting
}

func priority(p *lifecycle.Pod) int32 {
	if v := p.Record.Object.Spec.Priority; v != nil {
		return *v
	}
	return 0
}

// judgeFit says, once, that a pod of the folder is not for this board. One that runs is left alone, as in Kubernetes.
func (r *Runtime) judgeFit(p *lifecycle.Pod, now state.Instant) {
	if p.Record.Made {
		if !unscheduled(p.Record) {
			p.Unfit = ""
		}
		return
	}
	why := ""
	if p.Record.State == state.PodWaiting && !node.Fits(&p.Record.Object.Spec, r.NodeName, node.Labels(r.NodeName, r.Settings.Labels)) {
		why = scheduler.NotSelected
	}
	r.setUnfit(p, why, now)
}

// setUnfit takes in why a pod cannot come onto the board, and says it when it is new.
func (r *Runtime) setUnfit(p *lifecycle.Pod, why string, now state.Instant) {
	if why != "" && why != p.Unfit {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedScheduling", why)
	}
	p.Unfit = why
}

// cordonFile keeps over deaths and boots that the board is cordoned.
func (r *Runtime) cordonFile() string { return filepath.Join(r.RootDir, "cordon.json") }

// readCordon takes over what an earlier daemon was told.
func (r *Runtime) readCordon() {
	c, err := node.ReadCordon(r.cordonFile())
	r.disk.Restored(err, "whether the board is cordoned; it is not")
	r.cordon.Store(&c)
}

// Cordon says whether the board takes new pods of controllers. Any goroutine may ask.
func (r *Runtime) Cordon() node.Cordon {
	if c := r.cordon.Load(); c != nil {
		return *c
	}
	return node.Cordon{}
}

// SetCordon lets the board take no new pods of controllers, or take them again. It returns when that is on disk.
func (q Requests) SetCordon(ctx context.Context, unschedulable bool) error {
	r := q.loop
	callErr := q.call(ctx, func() {
		if r.Cordon().Unschedulable == unschedulable {
			return
		}
		now := r.now()
		c := node.Cordon{Unschedulable: unschedulable, Since: now.Wall}
		reason := "NodeSchedulable"
		if unschedulable {
			reason = "NodeNotSchedulable"
		}
		r.cordon.Store(&c)
		if unschedulable {
			r.disk.Persist(r.cordonFile(), c, "that the board is cordoned")
		} else {
			r.disk.Remove(r.cordonFile())
		}
		r.recordEvent(now.Wall, node.Reference(r.NodeName), corev1.EventTypeNormal, reason, fmt.Sprintf("Node %s status is now: %s", r.NodeName, reason))
		r.Log.Info("the board takes new pods of controllers", "yes", !unschedulable)
		r.reschedule = true
		r.controllers.NodeChanged()
	})
	if callErr != nil {
		return callErr
	}
	r.disk.Wait()
	// Whoever is told that it is done may switch the board off.
	_, err := os.Lstat(r.cordonFile())
	if kept := err == nil; kept != unschedulable && (kept || errors.Is(err, os.ErrNotExist)) {
		return api.AsConflict(fmt.Errorf("it holds until podd ends, but cannot be kept: %s cannot be written", r.cordonFile()))
	}
	return nil
}

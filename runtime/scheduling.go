package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/lifecycle"
	"podd/runtime/node"
	"podd/runtime/scheduler"
	"podd/runtime/state"
)

// scheduling puts pods of controllers on the board when there is room for them.
type scheduling struct{ r *Runtime }

// schedule looks at the pods of controllers that are not on the board yet, the most important first, then the oldest, when
// something has changed that may make room for them. Once on the board a pod stays, as in Kubernetes.
func (sc scheduling) schedule(now state.Instant) {
	if !sc.r.reschedule || sc.r.stopping {
		return
	}
	sc.r.reschedule = false
	var waiting []*lifecycle.Pod
	for _, p := range sc.r.pods {
		if unscheduled(p.Record) && sc.r.wanted(p) {
			waiting = append(waiting, p)
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.SortFunc(waiting, func(a, b *lifecycle.Pod) int {
		return cmp.Or(-cmp.Compare(priority(a), priority(b)), cmp.Compare(a.Record.Created.Mono, b.Record.Created.Mono), cmp.Compare(a.Name(), b.Name()))
	})
	board := sc.board(nil)
	for _, p := range waiting {
		spec := &p.Record.Object.Spec
		why := board.Refuse(spec)
		if why == "" {
			board.Add(spec)
			at := now
			p.Record.Scheduled = &at
			sc.r.save(p)
		}
		sc.setUnfit(p, why, now)
		sc.r.mark(p.Record.UID)
	}
}

// syncAll lets controllers look at what has changed, and the pods that they have made come onto the board.
func (sc scheduling) syncAll(now state.Instant) {
	sc.r.workloads.syncControllers(now)
	sc.schedule(now)
}

// board is the node as the scheduler sees it, but for one pod; nil: with all.
func (sc scheduling) board(without *lifecycle.Pod) *scheduler.Board {
	b := &scheduler.Board{
		Name: sc.r.NodeName, Labels: node.Labels(sc.r.NodeName, sc.r.Settings.Labels),
		Unschedulable: sc.r.Cordon().Unschedulable, Allocatable: node.Allocatable(sc.r.Capacity()),
	}
	for _, p := range sc.r.pods {
		if s := p.Record.State; p != without && !unscheduled(p.Record) && s != state.PodFinished && s != state.PodGone && p.Unfit == "" {
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

// checkNodeFit says, once, that a pod of the folder is not for this board, and gives one that is the devices that it asks for. One that runs is left alone, as in Kubernetes.
func (sc scheduling) checkNodeFit(p *lifecycle.Pod, now state.Instant) {
	if unscheduled(p.Record) {
		return
	}
	why := ""
	switch {
	case p.Record.State != state.PodWaiting:
	case !p.Record.Made && !node.Fits(&p.Record.Object.Spec, sc.r.NodeName, node.Labels(sc.r.NodeName, sc.r.Settings.Labels)):
		why = scheduler.NotSelected
	case p.Record.Ending() == nil && sc.r.wanted(p) && !sc.r.blocked(p):
		if why = sc.hugePages(p); why == "" {
			why = sc.r.devices.allocate(p)
		}
	}
	sc.setUnfit(p, why, now)
}

// hugePages says of a pod of the folder that others have the huge pages that it asks for, or that there are none: it would
// fail when it uses them. Those of controllers were asked before.
func (sc scheduling) hugePages(p *lifecycle.Pod) string {
	if p.Record.Made || !scheduler.AsksHugePages(&p.Record.Object.Spec) {
		return ""
	}
	return sc.board(p).LacksHugePages(&p.Record.Object.Spec)
}

// setUnfit takes in why a pod cannot come onto the board, and says it when it is new.
func (sc scheduling) setUnfit(p *lifecycle.Pod, why string, now state.Instant) {
	if why != "" && why != p.Unfit {
		sc.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "FailedScheduling", why)
	}
	p.Unfit = why
}

// cordonFile keeps over deaths and boots that the board is cordoned.
func (sc scheduling) cordonFile() string { return filepath.Join(sc.r.RootDir, "cordon.json") }

// readCordon takes over what an earlier daemon was told.
func (sc scheduling) readCordon() {
	c, err := node.ReadCordon(sc.cordonFile())
	sc.r.disk.Restored(err, "whether the board is cordoned; it is not")
	if c.Over(sc.bootID()) {
		now := sc.r.now()
		c = node.Cordon{}
		sc.r.disk.Remove(sc.cordonFile())
		sc.r.recordEvent(now.Wall, node.Reference(sc.r.NodeName), corev1.EventTypeNormal, nodeSchedulable, fmt.Sprintf("Node %s status is now: %s: it has rebooted", sc.r.NodeName, nodeSchedulable))
		sc.r.Log.Info("the board takes new pods of controllers: it has rebooted")
	}
	sc.r.cordon.Store(&c)
}

const nodeSchedulable = "NodeSchedulable"

// bootID names this boot; "": nobody knows.
func (sc scheduling) bootID() string {
	boot, err := os.ReadFile(sc.r.folders.BootID)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot))
}

// Cordon says whether the board takes new pods of controllers. Any goroutine may ask.
func (r *Runtime) Cordon() node.Cordon {
	if c := r.cordon.Load(); c != nil {
		return *c
	}
	return node.Cordon{}
}

// SetCordon lets the board take no new pods of controllers, until its next boot or not, or take them again. It returns when
// that is on disk.
func (q Requests) SetCordon(ctx context.Context, unschedulable, untilBoot bool) error {
	r := q.loop
	callErr := q.call(ctx, func() {
		was := r.Cordon()
		if was.Unschedulable == unschedulable && (was.UntilBoot == "" || untilBoot) {
			return
		}
		now := r.now()
		c := node.Cordon{Unschedulable: unschedulable, Since: now.Wall}
		if untilBoot {
			c.UntilBoot = r.scheduling.bootID()
		}
		reason := nodeSchedulable
		if unschedulable {
			reason = "NodeNotSchedulable"
		}
		r.cordon.Store(&c)
		if unschedulable {
			r.disk.Persist(r.scheduling.cordonFile(), c, "that the board is cordoned")
		} else {
			r.disk.Remove(r.scheduling.cordonFile())
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
	_, err := os.Lstat(r.scheduling.cordonFile())
	if kept := err == nil; kept != unschedulable && (kept || errors.Is(err, os.ErrNotExist)) {
		return api.AsConflict(fmt.Errorf("it holds until podd ends, but cannot be kept: %s cannot be written", r.scheduling.cordonFile()))
	}
	return nil
}

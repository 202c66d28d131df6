package lifecycle

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/plan"
	"podd/runtime/state"
)

// RecordIntent puts into the record what an operation is about to do, so that a daemon that finds the record
// after a crash knows where to look.
func (h *Handler) RecordIntent(p *Pod, actions []plan.Action, now state.Instant) error {
	for _, a := range actions {
		switch a := a.(type) {
		case plan.BeginStop:
			if err := p.Record.BeginStop(now, h.Loop.StopGrace(p), h.Loop.ShutsDown()); err != nil {
				return err
			}
		case plan.BeginFinish:
			overdue, err := p.Record.BeginFinish(now)
			if err != nil {
				return err
			}
			if overdue {
				h.Event(p, "", now, corev1.EventTypeNormal, p.Record.Finish.Reason, p.Record.Finish.Message)
			}
		case plan.ResetContainers:
			if err := p.Record.ResetContainers(); err != nil {
				return err
			}
		case plan.RunPreStop:
			h.beginTermination(p, p.Record.Container(a.Name), now)
		case plan.StopContainer:
			h.beginTermination(p, p.Record.Container(a.Name), now)
		case plan.StartContainer:
			c := p.Record.Container(a.Name)
			if c.Kind == state.KindMain {
				p.Record.Initialized = true
			}
			// A collect may stand before it in the same plan; the record sees the moves in their order.
			if c.State == state.ContainerExited {
				continue
			}
			if err := c.BeginStart(a.Attempt); err != nil {
				return err
			}
		}
	}
	return nil
}

package lifecycle

import (
	"errors"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/sandbox"
	"podd/runtime/state"
	"podd/runtime/status"
	"podd/runtime/volume"
)

func (h *Handler) handleVolumesEnsured(p *Pod, o executor.VolumesEnsured, now state.Instant) {
	if o.Err == nil {
		p.Record.Volumes.MarkReady(o.Folders, o.Images)
		p.Refresh = false
		h.Loop.VolumesReady(p)
		return
	}
	if errors.Is(o.Err, executor.ErrSkipped) {
		return
	}
	if h.givesUpUsers(p, o.Err) {
		return
	}
	p.Record.Volumes.Postpone(o.Err, now)
	if p.Refresh { // something has come since
		p.Refresh, p.Record.Volumes.NotBefore = false, 0
	}
	h.Event(p, "", now, corev1.EventTypeWarning, "FailedMount", o.Err.Error())
}

// givesUpUsers lets a pod that was given ids of its own, without asking for any, begin anew with the machine's if that is what
// an action has failed for.
func (h *Handler) givesUpUsers(p *Pod, err error) bool {
	why := sandbox.WhyGiveUp(p.Record, err)
	if why == "" {
		return false
	}
	p.Record.Sandbox.GiveUp = why
	h.Loop.Mark(p)
	return true
}

// handleVolumesRefreshed takes in that the files of a pod's volumes are up to date. What is missing is not tried again before
// it comes; anything else is.
func (h *Handler) handleVolumesRefreshed(p *Pod, o executor.VolumesRefreshed, now state.Instant) {
	if o.Err == nil || errors.Is(o.Err, executor.ErrSkipped) {
		return
	}
	h.Event(p, "", now, corev1.EventTypeWarning, "FailedMount", o.Err.Error())
	if !errors.Is(o.Err, volume.ErrNotFound) {
		p.Refresh, p.Retry = true, now.After(executor.RetryDelay)
	}
}

// handleVolumesMeasured fails a pod that takes more of the board than it may. It gets no grace: what it takes may be the last
// there is. It stays to be looked at until its manifest changes.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
func (h *Handler) handleVolumesMeasured(p *Pod, o executor.VolumesMeasured, now state.Instant) {
	p.Usage.Take(o.Used, o.Err == nil && o.Held, now)
	if o.Err != nil || o.Excess == "" || p.Record.Ending() != nil || p.Record.State == state.PodFinished {
		return
	}
	p.Record.Finish = &state.FinishRecord{Failed: true, Reason: status.ReasonEvicted, Message: o.Excess}
	h.Event(p, "", now, corev1.EventTypeWarning, status.ReasonEvicted, o.Excess)
	h.Loop.Save(p)
	h.Loop.Mark(p)
}

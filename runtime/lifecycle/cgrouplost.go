package lifecycle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/plan"
	"podd/runtime/state"
)

// watchCgroup watches a pod's cgroup, in which a container has been started or adopted.
func (h *Handler) watchCgroup(rec *state.Record) {
	if err := h.Cgroups.WatchPod(rec.Sandbox.CgroupPath); err != nil {
		h.Log.Warn("a container whose cgroup somebody removes is not noticed before podd starts again", "pod", rec.UID, "error", err)
	}
}

// CheckCgroups ends the containers of a pod that have lost their cgroups: they run without limits, and nothing can be run in
// them. They are not moved into new ones, for what they have of memory would go on being counted elsewhere; the kubelet ends
// all of a pod whose cgroup is gone, too.
func (h *Handler) CheckCgroups(p *Pod, now state.Instant) {
	for _, c := range p.Record.Containers {
		if c.State != state.ContainerRunning && c.State != state.ContainerPostStart || c.EndReason != "" {
			continue
		}
		lost, err := h.Kernel.CgroupLost(state.ContainerID(p.Record.UID, c.Name, c.Attempt))
		if err != nil {
			h.Log.Error("cannot look for the cgroup of a container", "pod", p.Name(), "container", c.Name, "error", err)
			continue
		}
		if lost == "" {
			continue
		}
		c.EndReason = fmt.Sprintf("Container %s has lost its cgroup", c.Name)
		if plan.WillRestart(p.Record, &state.ContainerRecord{Name: c.Name, Kind: c.Kind}) {
			c.EndReason += ", will be restarted"
		}
		p.Record.Sandbox.CgroupLost = true
		h.Loop.CgroupLost()
		h.Log.Error("a container has lost its cgroup: it runs without limits", "pod", p.Name(), "container", c.Name, "cgroup", lost)
		h.Event(p, c.Name, now, corev1.EventTypeWarning, "CgroupLost",
			fmt.Sprintf("Somebody has removed cgroup %s of container %s: it runs without limits, and is ended", lost, c.Name))
		h.Loop.Save(p)
		h.Loop.Mark(p)
	}
}

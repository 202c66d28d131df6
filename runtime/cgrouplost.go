package runtime

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/plan"
	"podd/runtime/state"
)

// watchCgroups has the loop told when a cgroup below a pod's has been removed.
func (r *Runtime) watchCgroups() {
	if err := r.Cgroups.OnRemoval(func(cgroup string) { r.inbox.put(msgCgroup{cgroup}) }); err != nil {
		r.Log.Warn("a container whose cgroup somebody removes is not noticed before podd starts again", "error", err)
	}
}

// watchCgroup watches a pod's cgroup, in which a container has been started or adopted.
func (r *Runtime) watchCgroup(rec *state.Record) {
	if err := r.Cgroups.WatchPod(rec.Sandbox.CgroupPath); err != nil {
		r.Log.Warn("a container whose cgroup somebody removes is not noticed before podd starts again", "pod", rec.UID, "error", err)
	}
}

// cgroupRemoved looks at the pod whose cgroup a hint is about.
func (r *Runtime) cgroupRemoved(cgroup string, now state.Instant) {
	for _, p := range r.pods {
		if p.rec.Sandbox.CgroupPath == cgroup {
			r.checkCgroups(p, now)
		}
	}
}

// checkCgroups ends the containers of a pod that have lost their cgroups: they run without limits, and nothing can be run in
// them. They are not moved into new ones, for what they have of memory would go on being counted elsewhere; the kubelet ends
// all of a pod whose cgroup is gone, too.
func (r *Runtime) checkCgroups(p *pod, now state.Instant) {
	for _, c := range p.rec.Containers {
		if c.State != state.ContainerRunning && c.State != state.ContainerPostStart || c.EndReason != "" {
			continue
		}
		lost, err := r.kernel.cgroupLost(state.ContainerID(p.rec.UID, c.Name, c.Attempt))
		if err != nil {
			r.Log.Error("cannot look for the cgroup of a container", "pod", p.name(), "container", c.Name, "error", err)
			continue
		}
		if lost == "" {
			continue
		}
		c.EndReason = fmt.Sprintf("Container %s has lost its cgroup", c.Name)
		if plan.WillRestart(p.rec, &state.ContainerRecord{Name: c.Name, Kind: c.Kind}) {
			c.EndReason += ", will be restarted"
		}
		p.rec.Sandbox.CgroupLost = true
		r.shares = unknownShares
		r.Log.Error("a container has lost its cgroup: it runs without limits", "pod", p.name(), "container", c.Name, "cgroup", lost)
		r.event(p, c.Name, now, corev1.EventTypeWarning, "CgroupLost",
			fmt.Sprintf("Somebody has removed cgroup %s of container %s: it runs without limits, and is ended", lost, c.Name))
		r.save(p)
		r.mark(p.rec.UID)
	}
}

// unknownShares are no CPU shares that pods can have.
const unknownShares = 0

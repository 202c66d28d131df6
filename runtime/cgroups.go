package runtime

import "podd/runtime/state"

// watchCgroups has the loop told when a cgroup below a pod's has been removed.
func (r *Runtime) watchCgroups() {
	if err := r.Cgroups.OnRemoval(func(cgroup string) { r.inbox.put(msgCgroup{cgroup}) }); err != nil {
		r.Log.Warn("a container whose cgroup somebody removes is not noticed before podd starts again", "error", err)
	}
}

// cgroupRemoved looks at the pod whose cgroup a hint is about.
func (r *Runtime) cgroupRemoved(cgroup string, now state.Instant) {
	for _, p := range r.pods {
		if p.Record.Sandbox.CgroupPath == cgroup {
			r.lifecycle.CheckCgroups(p, now)
		}
	}
}

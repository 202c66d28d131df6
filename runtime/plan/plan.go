// Package plan decides what to do for one pod. It has no state, no clock and no I/O: the same View gives the same Plan.
package plan

import (
	"slices"

	"podd/runtime/state"
)

// Compute decides what a pod needs at the moment now.
func Compute(v View, now state.BootTime) Plan {
	var p Plan
	switch v.State {
	case state.PodWaiting:
		planWaiting(&p, v, now)
	case state.PodRunning:
		planRunning(&p, v, now)
	case state.PodFinishing:
		if v.Wanted {
			planFinishing(&p, v, now)
			break
		}
		p.do(BeginStop{})
		planStopping(&p, v, now)
	case state.PodStopping:
		planStopping(&p, v, now)
	case state.PodFinished:
		if !v.Wanted {
			p.do(BeginStop{})
			planStopping(&p, v, now)
		}
	case state.PodGone:
	}
	return p
}

func planWaiting(p *Plan, v View, now state.BootTime) {
	switch {
	case !v.Wanted:
		p.do(BeginStop{})
		planStopping(p, v, now)
	case v.Blocked, v.Unfit:
	case overdue(p, v, now):
		p.do(BeginFinish{})
		planFinishing(p, v, now)
	case now < v.SandboxAfter:
		p.WakeAt(v.SandboxAfter)
	default:
		p.do(EnsureSandbox{})
		if !planVolumeImages(p, v, now) {
			return
		}
		if v.NeedVolumes {
			p.do(EnsureVolumes{})
		}
		planContainers(p, v, now)
	}
}

func planRunning(p *Plan, v View, now state.BootTime) {
	switch {
	case !v.Wanted:
		p.do(BeginStop{})
		planStopping(p, v, now)
	case overdue(p, v, now):
		p.do(BeginFinish{})
		planFinishing(p, v, now)
	case v.Remake:
		planRemake(p, v, now)
	case v.RestartAll:
		planRestartAll(p, v, now)
	case v.NeedVolumes:
		planVolumes(p, v, now)
	default:
		if v.Refresh {
			p.do(RefreshVolumes{})
		}
		planMeasure(p, v, now)
		planResize(p, v, now)
		if failed := planContainers(p, v, now); !failed && !finished(v) {
			return
		}
		p.Actions, p.Wake = nil, 0
		p.do(BeginFinish{})
		planFinishing(p, v, now)
	}
}

// planVolumes tries again to make the volumes of a pod; no container starts without them.
func planVolumes(p *Plan, v View, now state.BootTime) {
	if !planVolumeImages(p, v, now) {
		return
	}
	if now < v.VolumesAfter {
		p.WakeAt(v.VolumesAfter)
		return
	}
	p.do(EnsureVolumes{})
}

// planVolumeImages begins to pull the images that volumes lack, as those of containers; there: none lacks any.
func planVolumeImages(p *Plan, v View, now state.BootTime) (there bool) {
	for _, image := range v.VolumeImages {
		switch {
		case image.Pulling:
		case image.Pull && now >= image.After:
			p.do(PullImage{Volume: image.Volume})
		default:
			if image.Pull {
				p.WakeAt(image.After)
			}
			if !image.Awaited {
				p.do(AwaitImage{Volume: image.Volume})
			}
		}
	}
	return len(v.VolumeImages) == 0
}

func planMeasure(p *Plan, v View, now state.BootTime) {
	switch {
	case !v.Measure:
	case now < v.MeasureAt:
		p.WakeAt(v.MeasureAt)
	default:
		p.do(MeasureVolumes{})
	}
}

func planResize(p *Plan, v View, now state.BootTime) {
	switch {
	case !v.Resize:
	case now < v.ResizeAfter:
		p.WakeAt(v.ResizeAfter)
	default:
		p.do(ResizePod{})
	}
}

// overdue says that the pod fails now, whatever its containers do.
func overdue(p *Plan, v View, now state.BootTime) bool {
	if v.Terminal {
		return true
	}
	if v.Deadline == 0 {
		return false
	}
	if now < v.Deadline {
		p.WakeAt(v.Deadline)
		return false
	}
	return true
}

// planContainers brings every container that should run towards running; failed: an init container has
// failed for good.
func planContainers(p *Plan, v View, now state.BootTime) (failed bool) {
	for _, c := range v.Containers {
		if c.Kind == state.KindEphemeral { // before all others, which may be what is looked into
			keep(p, v, c, now, false)
		}
	}
	ready, failed := planInits(p, v, now)
	if !ready {
		return failed
	}
	held := false // by a postStart hook: the kubelet starts one container after another
	for _, c := range v.Containers {
		if c.Kind == state.KindMain {
			starts := keep(p, v, c, now, held)
			held = held || c.PostStart && starts || c.State == state.ContainerPostStart && !c.Ending
		}
	}
	return false
}

// planInits starts the init containers one after another and keeps the sidecars among them running; ready:
// the main containers' turn has come.
func planInits(p *Plan, v View, now state.BootTime) (ready, failed bool) {
	for _, c := range v.Containers {
		switch {
		case c.Kind == state.KindMain, c.Kind == state.KindEphemeral:
		case c.Kind == state.KindSidecar:
			keep(p, v, c, now, false)
			if !c.Done && !v.Initialized {
				return false, false
			}
		case c.Done || v.Initialized:
			if c.State == state.ContainerExited {
				p.do(CollectContainer{c.Name, c.Attempt})
			}
		default:
			keep(p, v, c, now, false)
			ended := c.State == state.ContainerExited || c.State == state.ContainerCollected
			return false, ended && !Restarts(v.RestartPolicy, c)
		}
	}
	return true, false
}

// keep restarts a container as its policy says, unless that is held up, and ends it if it alone is to end. It
// says whether the container starts now.
func keep(p *Plan, v View, c ContainerView, now state.BootTime, held bool) (starts bool) {
	switch c.State {
	case state.ContainerExited:
		p.do(CollectContainer{c.Name, c.Attempt})
		return !held && Restarts(v.RestartPolicy, c) && planStart(p, c, now)
	case state.ContainerCollected:
		return !held && Restarts(v.RestartPolicy, c) && planStart(p, c, now)
	case state.ContainerWaiting:
		return !held && planStart(p, c, now)
	case state.ContainerPostStart, state.ContainerRunning:
		switch {
		case c.Ending:
			endContainer(p, c, c.StopBy, true, now)
		case c.State == state.ContainerPostStart && !c.Hooking:
			p.do(RunPostStart{c.Name})
		}
	case state.ContainerStarting, state.ContainerPreStop, state.ContainerStopping:
		endContainer(p, c, c.StopBy, true, now)
	}
	return false
}

// nextAttempt is state.ContainerRecord's NextAttempt.
func (c *ContainerView) nextAttempt() int {
	if c.Void {
		return c.Attempt
	}
	return c.Attempt + 1
}

func planStart(p *Plan, c ContainerView, now state.BootTime) (starts bool) {
	switch {
	case now < c.NotBefore:
		p.WakeAt(c.NotBefore)
	case c.Image:
		p.do(StartContainer{c.Name, c.nextAttempt()})
		return true
	case c.Pulling:
	case c.Pull && now >= c.PullAfter:
		p.do(PullImage{Name: c.Name})
	default:
		if c.Pull {
			p.WakeAt(c.PullAfter)
		}
		if !c.Awaited {
			p.do(AwaitImage{Name: c.Name})
		}
	}
	return false
}

// planRestartAll ends every container at once and lets the pod begin anew in its sandbox: neither hooks nor
// grace, as the pod does not end. KEP-5532
func planRestartAll(p *Plan, v View, now state.BootTime) {
	if !endAll(p, v, false) {
		return
	}
	p.do(ResetContainers{})
	v.Containers = slices.Clone(v.Containers)
	for i := range v.Containers {
		if v.Containers[i].Kind != state.KindEphemeral {
			v.Containers[i].State, v.Containers[i].Done = state.ContainerWaiting, false
		}
	}
	v.Initialized = false
	planContainers(p, v, now)
}

// planRemake ends every container at once and makes the sandbox anew, which the pod could not keep as it is.
func planRemake(p *Plan, v View, now state.BootTime) {
	switch {
	case !endAll(p, v, true):
	case now < v.SandboxAfter:
		p.WakeAt(v.SandboxAfter)
	default:
		p.do(ResetContainers{})
		p.do(EnsureSandbox{})
	}
}

// endAll ends every container without its grace, those that were added by hand only with their sandbox; true: all have ended.
func endAll(p *Plan, v View, ephemeral bool) bool {
	ended := true
	for _, c := range v.Containers {
		switch {
		case c.Kind == state.KindEphemeral && !ephemeral:
		case c.State == state.ContainerExited:
			ended = false
			p.do(CollectContainer{c.Name, c.Attempt})
		case c.running():
			ended = false
			if c.State.Alive() && !c.Killed {
				p.do(KillContainer{c.Name})
			}
		}
	}
	return ended
}

// finished says that every main container has ended for good.
func finished(v View) bool {
	for _, c := range v.Containers {
		if c.Kind == state.KindMain && (c.State != state.ContainerExited && c.State != state.ContainerCollected || Restarts(v.RestartPolicy, c)) {
			return false
		}
	}
	return true
}

package runtime

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// plan decides what a pod needs at the moment now (since boot).
func plan(v View, now time.Duration) Plan {
	var p Plan
	switch v.State {
	case PodWaiting:
		planWaiting(&p, v, now)
	case PodRunning:
		planRunning(&p, v, now)
	case PodFinishing:
		if v.Wanted {
			planFinishing(&p, v, now)
			break
		}
		p.do(BeginStop{})
		planStopping(&p, v, now)
	case PodStopping:
		planStopping(&p, v, now)
	case PodFinished:
		if !v.Wanted {
			p.do(BeginStop{})
			planStopping(&p, v, now)
		}
	case PodGone:
	}
	return p
}

func planWaiting(p *Plan, v View, now time.Duration) {
	switch {
	case !v.Wanted:
		p.do(BeginStop{})
		planStopping(p, v, now)
	case v.Blocked, v.Unfit:
	case overdue(p, v, now):
		p.do(BeginFinish{})
		planFinishing(p, v, now)
	case now < v.SandboxAfter:
		p.wakeAt(v.SandboxAfter)
	default:
		p.do(EnsureSandbox{})
		if v.NeedVolumes {
			p.do(EnsureVolumes{})
		}
		planContainers(p, v, now)
	}
}

func planRunning(p *Plan, v View, now time.Duration) {
	switch {
	case !v.Wanted:
		p.do(BeginStop{})
		planStopping(p, v, now)
	case overdue(p, v, now):
		p.do(BeginFinish{})
		planFinishing(p, v, now)
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
func planVolumes(p *Plan, v View, now time.Duration) {
	if now < v.VolumesAfter {
		p.wakeAt(v.VolumesAfter)
		return
	}
	p.do(EnsureVolumes{})
}

func planMeasure(p *Plan, v View, now time.Duration) {
	switch {
	case !v.Measure:
	case now < v.MeasureAt:
		p.wakeAt(v.MeasureAt)
	default:
		p.do(MeasureVolumes{})
	}
}

func planResize(p *Plan, v View, now time.Duration) {
	switch {
	case !v.Resize:
	case now < v.ResizeAfter:
		p.wakeAt(v.ResizeAfter)
	default:
		p.do(ResizePod{})
	}
}

// overdue says that the pod fails now, whatever its containers do.
func overdue(p *Plan, v View, now time.Duration) bool {
	if v.Condemned {
		return true
	}
	if v.Deadline == 0 {
		return false
	}
	if now < v.Deadline {
		p.wakeAt(v.Deadline)
		return false
	}
	return true
}

// planContainers brings every container that should run towards running; failed: an init container has
// failed for good.
func planContainers(p *Plan, v View, now time.Duration) (failed bool) {
	ready, failed := planInits(p, v, now)
	if !ready {
		return failed
	}
	held := false // by a postStart hook: the kubelet starts one container after another
	for _, c := range v.Containers {
		if c.Kind == KindMain {
			starts := keep(p, v, c, now, held)
			held = held || c.PostStart && starts || c.State == ContainerPostStart && !c.Ending
		}
	}
	return false
}

// planInits starts the init containers one after another and keeps the sidecars among them running; ready:
// the main containers' turn has come.
func planInits(p *Plan, v View, now time.Duration) (ready, failed bool) {
	for _, c := range v.Containers {
		switch {
		case c.Kind == KindMain:
		case c.Kind == KindSidecar:
			keep(p, v, c, now, false)
			if !c.Done && !v.Initialized {
				return false, false
			}
		case c.Done || v.Initialized:
			if c.State == ContainerExited {
				p.do(CollectContainer{c.Name, c.Attempt})
			}
		default:
			keep(p, v, c, now, false)
			ended := c.State == ContainerExited || c.State == ContainerCollected
			return false, ended && !restarts(v.RestartPolicy, c)
		}
	}
	return true, false
}

// keep restarts a container as its policy says, unless that is held up, and ends it if it alone is to end. It
// says whether the container starts now.
func keep(p *Plan, v View, c ContainerView, now time.Duration, held bool) (starts bool) {
	switch c.State {
	case ContainerExited:
		p.do(CollectContainer{c.Name, c.Attempt})
		return !held && restarts(v.RestartPolicy, c) && planStart(p, c, now)
	case ContainerCollected:
		return !held && restarts(v.RestartPolicy, c) && planStart(p, c, now)
	case ContainerWaiting:
		return !held && planStart(p, c, now)
	case ContainerPostStart, ContainerRunning:
		switch {
		case c.Ending:
			endContainer(p, c, c.StopBy, true, now)
		case c.State == ContainerPostStart && !c.Hooking:
			p.do(RunPostStart{c.Name})
		}
	case ContainerStarting, ContainerPreStop, ContainerStopping:
		endContainer(p, c, c.StopBy, true, now)
	}
	return false
}

func planStart(p *Plan, c ContainerView, now time.Duration) (starts bool) {
	switch {
	case now < c.NotBefore:
		p.wakeAt(c.NotBefore)
	case c.Image:
		p.do(StartContainer{c.Name, c.Attempt + 1})
		return true
	case !c.Awaited:
		p.do(AwaitImage{c.Name})
	}
	return false
}

// planRestartAll ends every container at once and lets the pod begin anew in its sandbox: neither hooks nor
// grace, as the pod does not end. KEP-5532
func planRestartAll(p *Plan, v View, now time.Duration) {
	ended := true
	for _, c := range v.Containers {
		switch {
		case c.State == ContainerExited:
			ended = false
			p.do(CollectContainer{c.Name, c.Attempt})
		case c.running():
			ended = false
			if c.State.alive() && !c.Killed {
				p.do(KillContainer{c.Name})
			}
		}
	}
	if !ended {
		return
	}
	p.do(ResetContainers{})
	v.Containers = slices.Clone(v.Containers)
	for i := range v.Containers {
		v.Containers[i].State, v.Containers[i].Done = ContainerWaiting, false
	}
	v.Initialized = false
	planContainers(p, v, now)
}

// restarts applies the restart policy to a container that has ended.
func restarts(policy corev1.RestartPolicy, c ContainerView) bool {
	if c.Void || c.Changed || c.Kind == KindSidecar || c.Rule != "" {
		return true
	}
	if c.RestartPolicy != "" {
		policy = c.RestartPolicy
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return c.Failed
	case corev1.RestartPolicyAlways:
	}
	return c.Failed || c.Kind != KindInit
}

// finished says that every main container has ended for good.
func finished(v View) bool {
	for _, c := range v.Containers {
		if c.Kind == KindMain && (c.State != ContainerExited && c.State != ContainerCollected || restarts(v.RestartPolicy, c)) {
			return false
		}
	}
	return true
}

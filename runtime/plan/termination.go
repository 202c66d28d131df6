package plan

import (
	"podd/runtime/state"
)

// planStopping ends every container, and the pod after the last.
func planStopping(p *Plan, v View, now state.BootTime) {
	if planEnd(p, v, now) {
		p.do(RemoveSandbox{})
		p.do(Forget{})
	}
}

// planFinishing ends what still runs of a pod that has succeeded or failed; the pod stays to be looked at.
func planFinishing(p *Plan, v View, now state.BootTime) {
	if planEnd(p, v, now) {
		p.do(RemoveSandbox{})
		p.do(Finish{})
	}
}

// planEnd ends all containers of a pod: every preStop hook at once, the stop signals of main containers after
// their hooks and when nobody is led to the pod any more, and those of sidecars when all that came after them in the pod
// has ended. It says whether all have.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow
func planEnd(p *Plan, v View, now state.BootTime) (ended bool) {
	above := false // something still runs that must end first
	drained := now >= v.DrainedAt
	if !drained {
		p.WakeAt(v.DrainedAt)
	}
	for _, c := range v.Containers {
		if c.Kind != state.KindSidecar {
			endContainer(p, c, v.StopBy, drained, now)
			above = above || c.running()
		}
	}
	for i := len(v.Containers) - 1; i >= 0; i-- {
		if c := v.Containers[i]; c.Kind == state.KindSidecar {
			endContainer(p, c, v.StopBy, drained && !above, now)
			above = above || c.running()
		}
	}
	return !above
}

func (c *ContainerView) running() bool { return c.State.Alive() || c.State == state.ContainerStarting }

// endContainer takes a container one step towards its end: its hook, its stop signal when its turn has come or
// the grace is over (by, 0: it begins now), SIGKILL.
func endContainer(p *Plan, c ContainerView, by state.BootTime, turn bool, now state.BootTime) {
	late := by != 0 && now >= by
	switch c.State {
	case state.ContainerPostStart, state.ContainerRunning:
		switch {
		case c.PreStop && !late:
			p.do(RunPreStop{c.Name})
		case turn || late:
			p.do(StopContainer{c.Name})
		case by != 0:
			p.WakeAt(by)
		}
	case state.ContainerPreStop:
		switch {
		case c.Hooked && turn || late:
			p.do(StopContainer{c.Name})
			return
		case !c.Hooked && !c.Hooking:
			p.do(RunPreStop{c.Name})
		}
		if by != 0 {
			p.WakeAt(by)
		}
	case state.ContainerStopping:
		planKill(p, c, now)
	case state.ContainerExited:
		p.do(CollectContainer{c.Name, c.Attempt})
	case state.ContainerStarting, state.ContainerWaiting, state.ContainerCollected:
	}
}

// planKill ends a container that has not obeyed its stop signal in time.
func planKill(p *Plan, c ContainerView, now state.BootTime) {
	switch {
	case c.Killed:
	case now < c.KillAt:
		p.WakeAt(c.KillAt)
	default:
		p.do(KillContainer{c.Name})
	}
}

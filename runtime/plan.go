package runtime

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// View is all that a decision about one pod needs to know.
type View struct {
	State         PodState
	Wanted        bool // its manifest is there, unchanged
	Blocked       bool // an older pod of its name has not ended
	RestartPolicy corev1.RestartPolicy
	SandboxAfter  time.Duration // since boot; no try before
	Containers    []ContainerView
}

// ContainerView is one container of a View.
type ContainerView struct {
	Name      string
	State     ContainerState
	Attempt   int
	Failed    bool          // the last attempt ended otherwise than with exit code 0
	Void      bool          // the last attempt never became a container: it is tried again whatever the policy
	Image     bool          // the image is there
	Awaited   bool          // that it is not there has been said
	NotBefore time.Duration // since boot
	KillAt    time.Duration // since boot
	Killed    bool
}

// Plan is a decision: what to do now, in this order, and when to look again if nothing happens (since boot;
// 0: never).
type Plan struct {
	Actions []Action
	Wake    time.Duration
}

func (p *Plan) do(a Action) { p.Actions = append(p.Actions, a) }

func (p *Plan) wakeAt(t time.Duration) {
	if p.Wake == 0 || t < p.Wake {
		p.Wake = t
	}
}

// plan decides what a pod needs at the moment now (since boot).
func plan(v View, now time.Duration) Plan {
	var p Plan
	switch v.State {
	case PodWaiting:
		planWaiting(&p, v, now)
	case PodRunning:
		planRunning(&p, v, now)
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
	case v.Blocked:
	case now < v.SandboxAfter:
		p.wakeAt(v.SandboxAfter)
	default:
		p.do(EnsureSandbox{})
		planContainers(p, v, now)
	}
}

func planRunning(p *Plan, v View, now time.Duration) {
	if !v.Wanted {
		p.do(BeginStop{})
		planStopping(p, v, now)
		return
	}
	planContainers(p, v, now)
	if finished(v) {
		p.do(RemoveSandbox{})
		p.do(Finish{})
	}
}

// planContainers brings every container that should run towards running.
func planContainers(p *Plan, v View, now time.Duration) {
	for _, c := range v.Containers {
		switch c.State {
		case ContainerExited:
			p.do(CollectContainer{c.Name, c.Attempt})
			if restarts(v.RestartPolicy, c) {
				planStart(p, c, now)
			}
		case ContainerWaiting:
			planStart(p, c, now)
		case ContainerCollected:
			if restarts(v.RestartPolicy, c) {
				planStart(p, c, now)
			}
		case ContainerStarting, ContainerRunning, ContainerStopping:
			planKill(p, c, now)
		}
	}
}

func planStart(p *Plan, c ContainerView, now time.Duration) {
	switch {
	case now < c.NotBefore:
		p.wakeAt(c.NotBefore)
	case c.Image:
		p.do(StartContainer{c.Name, c.Attempt + 1})
	case !c.Awaited:
		p.do(AwaitImage{c.Name})
	}
}

// planKill ends a container that has not obeyed its stop signal in time.
func planKill(p *Plan, c ContainerView, now time.Duration) {
	switch {
	case c.State != ContainerStopping || c.Killed:
	case now < c.KillAt:
		p.wakeAt(c.KillAt)
	default:
		p.do(KillContainer{c.Name})
	}
}

// planStopping ends every container, and the pod after the last.
func planStopping(p *Plan, v View, now time.Duration) {
	ended := true
	for _, c := range v.Containers {
		switch c.State {
		case ContainerRunning:
			ended = false
			p.do(StopContainer{c.Name})
		case ContainerStopping, ContainerStarting:
			ended = false
			planKill(p, c, now)
		case ContainerExited:
			p.do(CollectContainer{c.Name, c.Attempt})
		case ContainerWaiting, ContainerCollected:
		}
	}
	if ended {
		p.do(RemoveSandbox{})
		p.do(Forget{})
	}
}

// restarts applies the restart policy to a container that has ended.
func restarts(policy corev1.RestartPolicy, c ContainerView) bool {
	if c.Void {
		return true
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return c.Failed
	case corev1.RestartPolicyAlways:
	}
	return true
}

// finished says that every container has ended for good.
func finished(v View) bool {
	for _, c := range v.Containers {
		if c.State != ContainerExited && c.State != ContainerCollected || restarts(v.RestartPolicy, c) {
			return false
		}
	}
	return true
}

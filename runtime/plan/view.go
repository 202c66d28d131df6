package plan

import (
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// View is all that a decision about one pod needs to know.
type View struct {
	State         state.PodState
	Wanted        bool // its manifest is there, unchanged
	Blocked       bool // an older pod of its name has not ended
	Unfit         bool // it waits for a board that fits
	RestartPolicy corev1.RestartPolicy
	SandboxAfter  state.BootTime // no try before
	NeedVolumes   bool           // its volumes have not been made yet
	VolumesAfter  state.BootTime // no try before
	VolumeImages  []VolumeImage  // that its volumes still lack
	Refresh       bool           // what its volumes are made of has changed
	Measure       bool           // an emptyDir has a limit that only podd holds
	MeasureAt     state.BootTime // the next look
	Deadline      state.BootTime // the pod fails then; 0: never
	Terminal      bool           // the pod fails now: it was evicted
	Initialized   bool           // a main container has been started since the sandbox was made
	Resize        bool           // its cgroups have limits that the spec has no more
	ResizeAfter   state.BootTime // no try before
	RestartAll    bool           // a restart rule asks for all containers to begin anew
	Remake        bool           // its sandbox is to be made anew
	StopBy        state.BootTime // the end of the grace of a pod that ends; 0: it does not end yet
	DrainedAt     state.BootTime // no stop signal before: Services lead new connections elsewhere by then; 0: at once
	Containers    []ContainerView
}

// The kinds of containers.
const ()

// ContainerView is one container of a View. Init containers and sidecars come first, in their order.
type ContainerView struct {
	Name          string
	Kind          state.ContainerKind
	State         state.ContainerState
	Attempt       int
	RestartPolicy corev1.RestartPolicy              // its own; empty: the pod's
	Rule          corev1.ContainerRestartRuleAction // of the restart rule that its last exit code fits. KEP-5307
	Failed        bool                              // the last attempt ended otherwise than with exit code 0
	Void          bool                              // the last attempt never became a container: it is tried again whatever the policy
	Done          bool                              // an init container has succeeded, a sidecar has been started: the next one's turn
	Image         bool                              // the image is there
	Pull          bool                              // it is to be pulled, not before PullAfter
	PullAfter     state.BootTime                    // since boot
	Pulling       bool                              // it is being pulled, or may come otherwise
	Awaited       bool                              // that it is not there has been said
	Ending        bool                              // this container alone is to end: unhealthy, changed, or its postStart hook failed
	Changed       bool                              // its definition is another since it was started: it runs again whatever the policy
	PostStart     bool                              // a hook follows its start, and the next container's start follows the hook
	PreStop       bool                              // a hook comes before its stop signal
	Hooking       bool                              // a hook runs
	Hooked        bool                              // the hook of this state is done
	NotBefore     state.BootTime                    // since boot
	StopBy        state.BootTime                    // the end of its grace; 0: not known yet
	KillAt        state.BootTime                    // since boot
	Killed        bool
}

// Image says how it stands with an image that something of a pod needs.
type Image struct {
	There   bool           // it is there and may be used
	Pull    bool           // it is to be pulled first, not before After
	Pulling bool           // it is being pulled, or may come otherwise
	After   state.BootTime // since boot
}

// VolumeImage is an image that a volume shows.
type VolumeImage struct {
	Volume  string
	Awaited bool // it was said that it is awaited
	Image
}

// Plan is a decision: what to do now, in this order, and when to look again if nothing happens (since boot;
// 0: never).
type Plan struct {
	Actions []Action
	Wake    state.BootTime
}

func (p *Plan) do(a Action) { p.Actions = append(p.Actions, a) }

func (p *Plan) WakeAt(t state.BootTime) {
	if p.Wake == 0 || t < p.Wake {
		p.Wake = t
	}
}

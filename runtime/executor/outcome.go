package executor

import (
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container"
	"podd/runtime/plan"
	"podd/runtime/state"
)

// Outcome is how one action came out: one type for each type of action, which it has with it.
type Outcome interface {
	plan.Action
	// Failure is why the action failed; nil: it did not. ErrSkipped: it was left out because one before it failed.
	Failure() error
}

// Result is the part that all outcomes have.
type Result struct{ Err error }

// Failure is why the action failed.
func (r Result) Failure() error { return r.Err }

// The outcomes.
type (
	// SandboxEnsured is the outcome of EnsureSandbox.
	SandboxEnsured struct {
		plan.EnsureSandbox
		Result
		Sandbox state.SandboxRecord // what was made, also after an error
	}
	// VolumesEnsured is the outcome of EnsureVolumes.
	VolumesEnsured struct {
		plan.EnsureVolumes
		Result
		Folders, Images map[string]string // of claims, and the IDs of images, by the volumes' names
	}
	// VolumesRefreshed is the outcome of RefreshVolumes.
	VolumesRefreshed struct {
		plan.RefreshVolumes
		Result
	}
	// VolumesMeasured is the outcome of MeasureVolumes.
	VolumesMeasured struct {
		plan.MeasureVolumes
		Result
		Held   bool   // the file system holds all limits by itself
		Used   int64  // bytes, of all that were measured
		Excess string // the sentence about a volume that is too large
	}
	// SandboxRemoved is the outcome of RemoveSandbox.
	SandboxRemoved struct {
		plan.RemoveSandbox
		Result
	}
	// ContainerStarted is the outcome of StartContainer.
	ContainerStarted struct {
		plan.StartContainer
		Result
		IO      ContainerIO        // also after an error, once it was opened
		Process *container.Process // nil after an error
		ImageID string
		// ImageRef is how the manifest named the image when the start began.
		ImageRef string
		Object   *corev1.Pod // with whose limits it was started
		// NoJournal: its output was to go to the journal, and this machine has none.
		NoJournal bool
	}
	// PullBegun is the outcome of PullImage.
	PullBegun struct {
		plan.PullImage
		Result
	}
	// ImageAwaited is the outcome of AwaitImage.
	ImageAwaited struct {
		plan.AwaitImage
		Result
	}
	// PostStartBegun is the outcome of RunPostStart.
	PostStartBegun struct {
		plan.RunPostStart
		Result
	}
	// PreStopBegun is the outcome of RunPreStop.
	PreStopBegun struct {
		plan.RunPreStop
		Result
	}
	// ContainerStopped is the outcome of StopContainer.
	ContainerStopped struct {
		plan.StopContainer
		Result
		Signal unix.Signal // that was sent
	}
	// ContainerKilled is the outcome of KillContainer.
	ContainerKilled struct {
		plan.KillContainer
		Result
	}
	// ContainerCollected is the outcome of CollectContainer.
	ContainerCollected struct {
		plan.CollectContainer
		Result
		Message string // the termination message
	}
	// PodResized is the outcome of ResizePod.
	PodResized struct {
		plan.ResizePod
		Result
		Object *corev1.Pod // whose limits it has now
	}
	// ContainersReset is the outcome of ResetContainers.
	ContainersReset struct {
		plan.ResetContainers
		Result
	}
	// FinishBegun is the outcome of BeginFinish.
	FinishBegun struct {
		plan.BeginFinish
		Result
	}
	// StopBegun is the outcome of BeginStop.
	StopBegun struct {
		plan.BeginStop
		Result
	}
	// PodFinished is the outcome of Finish.
	PodFinished struct {
		plan.Finish
		Result
	}
	// PodForgotten is the outcome of Forget.
	PodForgotten struct {
		plan.Forget
		Result
	}
)

// OutcomeOf is the outcome of an action that brings nothing, or was not carried out.
func OutcomeOf(a plan.Action, err error) Outcome {
	r := Result{err}
	switch a := a.(type) {
	case plan.EnsureSandbox:
		return SandboxEnsured{EnsureSandbox: a, Result: r}
	case plan.EnsureVolumes:
		return VolumesEnsured{EnsureVolumes: a, Result: r}
	case plan.RefreshVolumes:
		return VolumesRefreshed{RefreshVolumes: a, Result: r}
	case plan.MeasureVolumes:
		return VolumesMeasured{MeasureVolumes: a, Result: r}
	case plan.RemoveSandbox:
		return SandboxRemoved{RemoveSandbox: a, Result: r}
	case plan.StartContainer:
		return ContainerStarted{StartContainer: a, Result: r}
	case plan.PullImage:
		return PullBegun{PullImage: a, Result: r}
	case plan.AwaitImage:
		return ImageAwaited{AwaitImage: a, Result: r}
	case plan.RunPostStart:
		return PostStartBegun{RunPostStart: a, Result: r}
	case plan.RunPreStop:
		return PreStopBegun{RunPreStop: a, Result: r}
	case plan.StopContainer:
		return ContainerStopped{StopContainer: a, Result: r}
	case plan.KillContainer:
		return ContainerKilled{KillContainer: a, Result: r}
	case plan.CollectContainer:
		return ContainerCollected{CollectContainer: a, Result: r}
	case plan.ResizePod:
		return PodResized{ResizePod: a, Result: r}
	case plan.ResetContainers:
		return ContainersReset{ResetContainers: a, Result: r}
	case plan.BeginFinish:
		return FinishBegun{BeginFinish: a, Result: r}
	case plan.BeginStop:
		return StopBegun{BeginStop: a, Result: r}
	case plan.Finish:
		return PodFinished{Finish: a, Result: r}
	case plan.Forget:
		return PodForgotten{Forget: a, Result: r}
	}
	panic("no outcome for the action " + a.String()) // TestEveryActionHasAnOutcome
}

// StandsAlone says of an outcome that a failure in it is the action's own affair: see plan.StandsAlone.
func StandsAlone(o Outcome) bool {
	switch o.(type) {
	case ContainerStarted, PullBegun, PodResized, VolumesRefreshed, VolumesMeasured:
		return true
	}
	return false
}

package plan

import "fmt"

// Action is one small, idempotent step; the log of a decision is a list of them.
type Action interface{ String() string }

// The actions of a plan.
type (
	// EnsureSandbox makes what the containers of a pod share.
	EnsureSandbox struct{}
	// EnsureVolumes makes the pod's volumes.
	EnsureVolumes struct{}
	// RefreshVolumes brings the files that podd writes into volumes up to date.
	RefreshVolumes struct{}
	// MeasureVolumes looks whether emptyDirs have grown beyond their limits.
	MeasureVolumes struct{}
	// RemoveSandbox takes it away.
	RemoveSandbox struct{}
	// StartContainer makes and starts one attempt.
	StartContainer struct {
		Name    string
		Attempt int
	}
	// PullImage begins to pull the image of a container, or of a volume.
	PullImage struct{ Name, Volume string }
	// AwaitImage says that a container cannot start before its image, or that of a volume, is there.
	AwaitImage struct{ Name, Volume string }
	// RunPostStart begins the postStart hook again that an earlier daemon has left in its middle.
	RunPostStart struct{ Name string }
	// RunPreStop begins the preStop hook of a container that is to end.
	RunPreStop struct{ Name string }
	// StopContainer sends the stop signal.
	StopContainer struct{ Name string }
	// KillContainer sends SIGKILL.
	KillContainer struct{ Name string }
	// CollectContainer takes away what a dead attempt left: its cgroup, root and pipes. The log stays.
	CollectContainer struct {
		Name    string
		Attempt int
	}
	// ResizePod gives the cgroups the limits that the spec has now.
	ResizePod struct{}
	// ResetContainers lets all containers begin anew in the sandbox that is there.
	ResetContainers struct{}
	// BeginFinish marks the pod as having succeeded or failed.
	BeginFinish struct{}
	// BeginStop marks the pod as ending.
	BeginStop struct{}
	// Finish marks the pod as ended by itself.
	Finish struct{}
	// Forget removes the pod's record.
	Forget struct{}
)

func (EnsureSandbox) String() string    { return "ensure sandbox" }
func (EnsureVolumes) String() string    { return "ensure volumes" }
func (RefreshVolumes) String() string   { return "refresh volumes" }
func (MeasureVolumes) String() string   { return "measure volumes" }
func (RemoveSandbox) String() string    { return "remove sandbox" }
func (a StartContainer) String() string { return fmt.Sprintf("start %s#%d", a.Name, a.Attempt) }
func (a AwaitImage) String() string {
	if a.Volume != "" {
		return "await image of volume " + a.Volume
	}
	return "await image of " + a.Name
}

func (a PullImage) String() string {
	if a.Volume != "" {
		return "pull image of volume " + a.Volume
	}
	return "pull image of " + a.Name
}
func (a RunPostStart) String() string     { return "post-start " + a.Name }
func (a RunPreStop) String() string       { return "pre-stop " + a.Name }
func (a StopContainer) String() string    { return "stop " + a.Name }
func (a KillContainer) String() string    { return "kill " + a.Name }
func (a CollectContainer) String() string { return fmt.Sprintf("collect %s#%d", a.Name, a.Attempt) }
func (ResizePod) String() string          { return "resize" }
func (ResetContainers) String() string    { return "reset containers" }
func (BeginFinish) String() string        { return "begin finish" }
func (BeginStop) String() string          { return "begin stop" }
func (Finish) String() string             { return "finish" }
func (Forget) String() string             { return "forget" }

// Cleans says of an action that it is carried out whatever failed before it.
func Cleans(a Action) bool {
	switch a.(type) {
	case CollectContainer, StopContainer, KillContainer, ResizePod:
		return true
	}
	return false
}

// StandsAlone says of an action that its failure is its own affair: nothing after it depends on it.
func StandsAlone(a Action) bool {
	switch a.(type) {
	case StartContainer, PullImage, ResizePod, RefreshVolumes, MeasureVolumes:
		return true
	}
	return false
}

// AllActions has one action of each type.
func AllActions() []Action {
	return []Action{
		EnsureSandbox{},
		EnsureVolumes{},
		RefreshVolumes{},
		MeasureVolumes{},
		RemoveSandbox{},
		StartContainer{},
		PullImage{},
		AwaitImage{},
		RunPostStart{},
		RunPreStop{},
		StopContainer{},
		KillContainer{},
		CollectContainer{},
		ResizePod{},
		ResetContainers{},
		BeginFinish{},
		BeginStop{},
		Finish{},
		Forget{},
	}
}

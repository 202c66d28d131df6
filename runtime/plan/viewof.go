package plan

import (
	"time"

	"podd/runtime/state"
)

// Facts are what a View has beside the pod's record.
type Facts struct {
	Wanted    bool // its manifest is there, unchanged
	Blocked   bool // an older pod of its name has not ended
	Unfit     bool // it waits for a board that fits
	Importing bool // archives of images are being read: one that is not there may come
	// KeepEnd: the board stops; first the end of a pod that has finished is kept, or it would run again after a reboot.
	KeepEnd   bool
	StopGrace time.Duration // that the pod would have if its end began now
	Refresh   bool          // what its volumes are made of has changed
	Measure   bool          // an emptyDir has a limit that only podd holds
	MeasureAt state.BootTime
	DrainedAt state.BootTime // when no Service leads to it any more
	HookRuns  func(container string) bool
	Image     func(container string) Image // that its next attempt starts from
	// VolumeImages are those that its volumes show.
	VolumeImages []VolumeImage
}

// ViewOf is what a decision about a pod needs to know.
func ViewOf(rec *state.Record, f Facts) View {
	v := View{
		State:         rec.State,
		Wanted:        f.Wanted,
		Unfit:         f.Unfit,
		RestartPolicy: rec.Object.Spec.RestartPolicy,
		SandboxAfter:  rec.Sandbox.NotBefore,
		NeedVolumes:   len(rec.Object.Spec.Volumes) > 0 && !rec.Volumes.Ready,
		VolumesAfter:  rec.Volumes.NotBefore,
		Refresh:       f.Refresh && rec.Volumes.Ready,
		Measure:       f.Measure && rec.Volumes.Ready,
		MeasureAt:     f.MeasureAt,
		DrainedAt:     f.DrainedAt,
		Deadline:      rec.Deadline(),
		Terminal:      rec.Finish != nil,
		Initialized:   rec.Initialized,
		RestartAll:    rec.RestartAll,
		Remake:        rec.Sandbox.GiveUp != "",
		Containers:    make([]ContainerView, 0, len(rec.Containers)),
	}
	if v.NeedVolumes {
		for _, image := range f.VolumeImages {
			image.Pulling = image.Pulling || f.Importing
			if !image.There {
				v.VolumeImages = append(v.VolumeImages, image)
			}
		}
	}
	if rec.Resize != nil && !rec.Resize.Applied {
		v.Resize, v.ResizeAfter = true, rec.Resize.NotBefore
	}
	if end := rec.Ending(); end != nil && (v.State == state.PodStopping || v.State == state.PodFinishing) {
		v.StopBy = end.By()
	}
	if v.State == state.PodFinishing && f.KeepEnd {
		v.Wanted = true
	}
	if v.State == state.PodWaiting {
		v.Blocked = f.Blocked
	}
	for _, c := range rec.Containers {
		v.Containers = append(v.Containers, viewOfContainer(rec, c, f, v.Wanted))
	}
	return v
}

func viewOfContainer(rec *state.Record, c *state.ContainerRecord, f Facts, wanted bool) ContainerView {
	spec := rec.Spec(c.Name)
	v := ContainerView{
		Name: c.Name, Kind: c.Kind, State: c.State, Attempt: c.Attempt,
		RestartPolicy: ownPolicy(spec),
		Failed:        c.HasFailed(),
		Void:          c.Void,
		Done:          c.Done,
		Awaited:       f.Importing || c.Waiting != nil && state.IsImageReason(c.Waiting.Reason) && !state.IsPullFailure(c.Waiting.Reason),
		Ending:        c.EndReason != "" || c.Unhealthy, Changed: c.Changed,
		PostStart: state.HasPostStart(spec),
		Hooking:   f.HookRuns(c.Name), Hooked: c.Hooked,
		NotBefore: c.NotBefore, StopBy: c.StopBy, KillAt: c.KillAt, Killed: c.Killed,
	}
	if c.Ended != nil {
		v.Rule = RestartRule(spec, c.Ended.Code)
	}
	if spec.Lifecycle != nil && spec.Lifecycle.PreStop != nil {
		v.PreStop = GraceOf(rec, c, wanted, f.StopGrace) > 0
	}
	if !c.State.Alive() {
		image := f.Image(c.Name)
		v.Image, v.Pull, v.Pulling, v.PullAfter = image.There, image.Pull, image.Pulling || f.Importing, image.After
	}
	return v
}

// GraceOf is the grace that a container has or would have if its end began now: without any there is no hook.
func GraceOf(rec *state.Record, c *state.ContainerRecord, wanted bool, stopGrace time.Duration) time.Duration {
	switch end := rec.Ending(); {
	case end != nil:
		return end.Grace
	case !wanted:
		return stopGrace
	}
	return rec.GraceAlone(c)
}

// WaitsInBackoff says of a container that has ended that it starts again, but not yet.
func WaitsInBackoff(rec *state.Record, c *state.ContainerRecord, now state.Instant) bool {
	return rec.State == state.PodRunning && c.NotBefore > now.Mono && WillRestart(rec, c)
}

package plan

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// record is that of a pod with a volume and one container, which runs.
func record(change func(*state.Record)) *state.Record {
	object := &corev1.Pod{Spec: corev1.PodSpec{
		RestartPolicy: always, TerminationGracePeriodSeconds: new(int64(30)),
		Containers: []corev1.Container{{Name: "c"}}, Volumes: []corev1.Volume{{Name: "v"}},
	}}
	rec := state.NewRecord("uid", object, state.Instant{Wall: time.Unix(5000, 0), Mono: 100 * second})
	rec.State, rec.Volumes.Ready = state.PodRunning, true
	rec.Container("c").State, rec.Container("c").Attempt = state.ContainerRunning, 0
	if change != nil {
		change(rec)
	}
	return rec
}

func facts(change func(*Facts)) Facts {
	f := Facts{Wanted: true, StopGrace: 30 * time.Second, HookRuns: func(string) bool { return false }, Image: func(string) Image { return Image{There: true} }}
	if change != nil {
		change(&f)
	}
	return f
}

// What of a record and of facts decides: a row is a change of them, and the field of the view that it moves.
func TestViewOf(t *testing.T) {
	since := state.Instant{Mono: 50 * second}
	plain := ViewOf(record(nil), facts(nil))
	for _, c := range []struct {
		name   string
		rec    func(*state.Record)
		facts  func(*Facts)
		change func(*View) // of the plain view
	}{
		{"nothing", nil, nil, func(*View) {}},
		{"it is not wanted", nil, func(f *Facts) { f.Wanted = false }, func(v *View) { v.Wanted = false }},
		{"volumes are missing", func(r *state.Record) { r.Volumes.Ready, r.Volumes.NotBefore = false, 7 }, nil, func(v *View) { v.NeedVolumes, v.VolumesAfter = true, 7 }},
		{"there are no volumes", func(r *state.Record) { r.Volumes.Ready, r.Object.Spec.Volumes = false, nil }, nil, func(*View) {}},
		{"volumes have changed", nil, func(f *Facts) { f.Refresh, f.Measure, f.MeasureAt = true, true, 9 }, func(v *View) { v.Refresh, v.Measure, v.MeasureAt = true, true, 9 }},
		{"volumes have changed that are not there", func(r *state.Record) { r.Volumes.Ready = false }, func(f *Facts) { f.Refresh, f.Measure = true, true }, func(v *View) { v.NeedVolumes = true }},
		{
			"a volume lacks its image", func(r *state.Record) { r.Volumes.Ready = false },
			func(f *Facts) {
				f.VolumeImages = []VolumeImage{{Volume: "a", Image: Image{There: true}}, {Volume: "v"}}
			},
			func(v *View) { v.NeedVolumes, v.VolumeImages = true, []VolumeImage{{Volume: "v"}} },
		},
		{
			"it may come with an archive", func(r *state.Record) { r.Volumes.Ready = false },
			func(f *Facts) { f.VolumeImages, f.Importing = []VolumeImage{{Volume: "v"}}, true },
			func(v *View) {
				v.NeedVolumes, v.VolumeImages, v.Containers[0].Awaited = true, []VolumeImage{{Volume: "v", Image: Image{Pulling: true}}}, true
			},
		},
		{"volumes that are there need no image", nil, func(f *Facts) { f.VolumeImages = []VolumeImage{{Volume: "v"}} }, func(*View) {}},
		{"new limits", func(r *state.Record) { r.Resize = &state.ResizeRecord{NotBefore: 8} }, nil, func(v *View) { v.Resize, v.ResizeAfter = true, 8 }},
		{"new limits that it has", func(r *state.Record) { r.Resize = &state.ResizeRecord{Applied: true} }, nil, func(*View) {}},
		{"a deadline", func(r *state.Record) { r.Object.Spec.ActiveDeadlineSeconds = new(int64(5)) }, nil, func(v *View) { v.Deadline = 105 * second }},
		{"its sandbox is given up", func(r *state.Record) { r.Sandbox.GiveUp, r.Sandbox.NotBefore = "why", 6 }, nil, func(v *View) { v.Remake, v.SandboxAfter = true, 6 }},
		{"all begin anew", func(r *state.Record) { r.RestartAll, r.Initialized = true, true }, nil, func(v *View) { v.RestartAll, v.Initialized = true, true }},
		{"Services lead elsewhere", nil, func(f *Facts) { f.DrainedAt = 4 }, func(v *View) { v.DrainedAt = 4 }},
		{"another of its name is there, but it runs", nil, func(f *Facts) { f.Blocked = true }, func(*View) {}},
		{"another of its name is there", func(r *state.Record) { r.State = state.PodWaiting }, func(f *Facts) { f.Blocked, f.Unfit = true, true }, func(v *View) { v.State, v.Blocked, v.Unfit = state.PodWaiting, true, true }},
		{
			"it ends", func(r *state.Record) {
				r.State, r.Stop = state.PodStopping, &state.StopRecord{Since: since, Grace: 20 * time.Second}
			}, nil,
			func(v *View) { v.State, v.StopBy = state.PodStopping, 70*second },
		},
		{
			"it has failed, and begins to end", func(r *state.Record) {
				r.Finish = &state.FinishRecord{StopRecord: state.StopRecord{Since: since, Grace: 20 * time.Second}}
			}, nil,
			func(v *View) { v.Terminal = true }, // not known to end before its state says so
		},
		{
			"the end of what has finished is kept", func(r *state.Record) {
				r.State, r.Finish = state.PodFinishing, &state.FinishRecord{StopRecord: state.StopRecord{Since: since, Grace: 20 * time.Second}}
			},
			func(f *Facts) { f.Wanted, f.KeepEnd = false, true }, func(v *View) { v.State, v.Terminal, v.StopBy = state.PodFinishing, true, 70*second },
		},
		{"the end of what runs is not", nil, func(f *Facts) { f.Wanted, f.KeepEnd = false, true }, func(v *View) { v.Wanted = false }},
	} {
		want := plain
		want.Containers = append([]ContainerView(nil), plain.Containers...)
		c.change(&want)
		rec := record(c.rec)
		before := rec.Clone()
		if got := ViewOf(rec, facts(c.facts)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, want)
		}
		if !reflect.DeepEqual(rec, before) {
			t.Errorf("%s: wrote into the record", c.name)
		}
	}
}

func TestViewOfContainer(t *testing.T) {
	hook := func(r *state.Record) *corev1.Lifecycle {
		l := &corev1.Lifecycle{}
		r.Object.Spec.Containers[0].Lifecycle = l
		return l
	}
	preStop := func(r *state.Record) { hook(r).PreStop = &corev1.LifecycleHandler{} }
	plain := ViewOf(record(nil), facts(nil)).Containers[0]
	for _, c := range []struct {
		name   string
		rec    func(*state.Record, *state.ContainerRecord)
		facts  func(*Facts)
		change func(*ContainerView)
	}{
		{"a policy of its own", func(r *state.Record, _ *state.ContainerRecord) {
			r.Object.Spec.Containers[0].RestartPolicy = new(corev1.ContainerRestartPolicyNever)
		}, nil, func(v *ContainerView) { v.RestartPolicy = never }},
		{"it has succeeded", func(_ *state.Record, c *state.ContainerRecord) {
			c.State, c.Ended = state.ContainerExited, &state.Termination{}
		}, nil, func(v *ContainerView) { v.State, v.Failed, v.Image = state.ContainerExited, false, true }},
		{"it has ended by a rule", func(r *state.Record, c *state.ContainerRecord) {
			r.Object.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{Action: "Restart", ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: "In", Values: []int32{42}}}}
			c.State, c.Ended = state.ContainerExited, &state.Termination{Code: 42}
		}, nil, func(v *ContainerView) { v.State, v.Rule, v.Image = state.ContainerExited, "Restart", true }},
		{"it succeeded and is unhealthy", func(_ *state.Record, c *state.ContainerRecord) { c.Ended, c.Unhealthy = &state.Termination{}, true }, nil, func(v *ContainerView) { v.Ending = true }},
		{"it is to end alone", func(_ *state.Record, c *state.ContainerRecord) { c.EndReason, c.StopBy = "why", 9 }, nil, func(v *ContainerView) { v.Ending, v.StopBy = true, 9 }},
		{"a postStart hook", func(r *state.Record, _ *state.ContainerRecord) { hook(r).PostStart = &corev1.LifecycleHandler{} }, nil, func(v *ContainerView) { v.PostStart = true }},
		{"a hook runs", nil, func(f *Facts) { f.HookRuns = func(name string) bool { return name == "c" } }, func(v *ContainerView) { v.Hooking = true }},
		{"a preStop hook", func(r *state.Record, _ *state.ContainerRecord) { preStop(r) }, nil, func(v *ContainerView) { v.PreStop = true }},
		{"without a grace there is none", func(r *state.Record, _ *state.ContainerRecord) {
			preStop(r)
			r.Object.Spec.TerminationGracePeriodSeconds = new(int64(0))
		}, nil, func(*ContainerView) {}},
		{"the board stops at once", func(r *state.Record, _ *state.ContainerRecord) { preStop(r) }, func(f *Facts) { f.Wanted, f.StopGrace = false, 0 }, func(*ContainerView) {}},
		{"an image that is to be pulled", func(_ *state.Record, c *state.ContainerRecord) { c.State, c.Attempt = state.ContainerWaiting, -1 }, func(f *Facts) {
			f.Image = func(string) Image { return Image{Pull: true, After: 7} }
		}, func(v *ContainerView) { v.State, v.Attempt, v.Pull, v.PullAfter = state.ContainerWaiting, -1, true, 7 }},
		{"nobody asks for the image of one that runs", nil, func(f *Facts) { f.Image = func(string) Image { panic("asked") } }, func(*ContainerView) {}},
		{"archives are read", func(_ *state.Record, c *state.ContainerRecord) { c.State = state.ContainerCollected }, func(f *Facts) {
			f.Importing, f.Image = true, func(string) Image { return Image{} }
		}, func(v *ContainerView) { v.State, v.Pulling, v.Awaited = state.ContainerCollected, true, true }},
		{"it waits in a back-off of pulls", func(_ *state.Record, c *state.ContainerRecord) {
			c.Waiting = &state.Waiting{Reason: state.ReasonImageBackOff}
		}, nil, func(v *ContainerView) { v.Awaited = true }},
		{"a pull has just failed", func(_ *state.Record, c *state.ContainerRecord) {
			c.Waiting = &state.Waiting{Reason: state.ReasonImagePull}
		}, nil, func(*ContainerView) {}},
		{"it waits for something else", func(_ *state.Record, c *state.ContainerRecord) {
			c.Waiting = &state.Waiting{Reason: "CreateContainerError"}
		}, nil, func(*ContainerView) {}},
	} {
		rec := record(func(r *state.Record) {
			if c.rec != nil {
				c.rec(r, r.Container("c"))
			}
		})
		want := plain
		c.change(&want)
		if got := ViewOf(rec, facts(c.facts)).Containers[0]; got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, want)
		}
	}
}

// How long a container has to end in: with its pod, or alone.
func TestGraceOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		wanted bool
		rec    func(*state.Record)
		want   time.Duration
	}{
		{"alone", true, nil, 30 * time.Second},
		{"with its pod, which is to go", false, nil, 5 * time.Second},
		{"with its pod, which ends", false, func(r *state.Record) { r.Stop = &state.StopRecord{Grace: 7 * time.Second} }, 7 * time.Second},
		{"a probe has a grace of its own", true, func(r *state.Record) { r.Container("c").Unhealthy, r.Container("c").UnhealthyGrace = true, time.Second }, time.Second},
		{"which an end of the pod overrides", true, func(r *state.Record) {
			r.Container("c").Unhealthy, r.Container("c").UnhealthyGrace = true, time.Second
			r.Finish = &state.FinishRecord{StopRecord: state.StopRecord{Grace: 9 * time.Second}}
		}, 9 * time.Second},
	} {
		rec := record(c.rec)
		if got := GraceOf(rec, rec.Container("c"), c.wanted, 5*time.Second); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// CrashLoopBackOff is of a container of a pod that runs, that is started again, but not yet.
func TestWaitsInBackoff(t *testing.T) {
	now := state.Instant{Mono: 100 * second}
	for _, pod := range []state.PodState{state.PodWaiting, state.PodRunning, state.PodFinishing, state.PodStopping, state.PodFinished, state.PodGone} {
		for _, policy := range []corev1.RestartPolicy{always, onFailure, never} {
			for code := range 2 {
				for _, at := range []state.BootTime{99 * second, now.Mono, 101 * second} {
					rec := record(func(r *state.Record) {
						r.State, r.Object.Spec.RestartPolicy = pod, policy
						c := r.Container("c")
						c.State, c.Ended, c.NotBefore = state.ContainerExited, &state.Termination{Code: code}, at
					})
					want := pod == state.PodRunning && at > now.Mono && (policy == always || policy == onFailure && code != 0)
					if got := WaitsInBackoff(rec, rec.Container("c"), now); got != want {
						t.Error(fmt.Sprint(pod, " ", policy, " exit code ", code, " not before ", at, ": ", got))
					}
				}
			}
		}
	}
}

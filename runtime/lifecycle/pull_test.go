package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/state"
	"podd/runtime/status"
	"podd/runtime/volume"
)

func (l *loop) Pull(_ *Pod, name, volume string, _ state.Instant) {
	l.pulls = append(l.pulls, name+volume)
}

func (l *loop) VolumesReady(*Pod) { l.volumes++ }

// imagePod is one that waits for the image of its container c and of its volume v.
func imagePod(policy corev1.PullPolicy) (*Handler, *loop, *Pod) {
	h, l, p := newPod(state.PodRunning, collected, waiting)
	p.Record.Container("c").Attempt = -1
	p.Record.Object.Spec.Containers[0].ImagePullPolicy = policy
	p.Record.Object.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "data", PullPolicy: policy}}}}
	return h, l, p
}

var (
	ofContainer = PullTarget{Container: "c"}
	ofVolume    = PullTarget{Volume: "v"}
)

// What a pull comes to: the reason that `podd get pods` shows, the events in the kubelet's words, and when the next try is due.
func TestPulled(t *testing.T) {
	for _, tc := range []struct {
		name   string
		target PullTarget
		out    Pulled
		shown  string // the reason why it waits
		events string
		rests  time.Duration
	}{
		{"it comes", ofContainer, Pulled{Image: "app"}, "", "[Normal Pulled spec.containers{c}]", 0},
		{"it is used as it is", ofContainer, Pulled{Image: "app", Present: "no route"}, "", "[Warning Pulled spec.containers{c}]", 0},
		{"it was there, and may run", ofContainer, Pulled{Image: "app", Judged: true}, "", "[]", 0},
		{"no route", ofContainer, Pulled{Image: "app", Reason: "ErrImagePull", Message: "no route"}, "ErrImagePull", "[Warning Failed spec.containers{c} Warning Failed spec.containers{c}]", 10 * time.Second},
		{"too many requests", ofContainer, Pulled{Image: "app", Reason: "RegistryUnavailable", After: time.Hour}, "RegistryUnavailable", "[Warning Failed spec.containers{c} Warning Failed spec.containers{c}]", time.Hour},
		{"no clock", ofContainer, Pulled{Image: "app", Reason: "ClockNotSet", Message: "1970"}, "ClockNotSet", "[Warning ClockNotSet spec.containers{c}]", 10 * time.Second},
		{"the manifest names another image meanwhile", ofContainer, Pulled{Image: "old", Reason: "ErrImagePull"}, "before", "[]", 0},
		{"of a volume", ofVolume, Pulled{Image: "data"}, "", "[Normal Pulled]", 0},
		{"of a volume, no route", ofVolume, Pulled{Image: "data", Reason: "ErrImagePull", Message: "no route"}, "ErrImagePull", "[Warning Failed Warning Failed]", 10 * time.Second},
		{"of a volume that is gone", PullTarget{Volume: "w"}, Pulled{Image: "data"}, "", "[]", 0},
		{"of a container that is gone", PullTarget{Container: "x"}, Pulled{Image: "app"}, "", "[]", 0},
	} {
		h, l, p := imagePod(corev1.PullIfNotPresent)
		c := p.Record.Container("c")
		p.Pulls[tc.target] = &Pull{}
		if tc.target == ofContainer {
			c.Waiting = &state.Waiting{Reason: state.ReasonImageBackOff}
			if tc.shown == "before" {
				tc.shown = state.ReasonImageBackOff
			}
		}
		p.Record.Volumes.NotBefore = 77
		h.HandlePulled(p, tc.target, tc.out, at)
		w, rec := c.Waiting, c.Pull
		if tc.target.Volume != "" {
			rec = p.Record.Volumes.Pulls[tc.target.Volume]
			if w = nil; rec != nil {
				w = rec.Waiting
			}
			if retries := p.Record.Volumes.NotBefore == 0; retries != (tc.target == ofVolume && tc.out.Reason == "") {
				t.Errorf("%s: the volumes are tried at once: %t", tc.name, retries)
			}
		}
		shown := ""
		if w != nil {
			shown = w.Reason
		}
		if shown != tc.shown || fmt.Sprint(l.events) != tc.events || len(p.Pulls) != 0 {
			t.Errorf("%s: shows %q, events %v, %d under way", tc.name, shown, l.events, len(p.Pulls))
		}
		if rec != nil && tc.rests > 0 && rec.NotBefore != at.After(tc.rests) {
			t.Errorf("%s: rests %s, want %s", tc.name, rec.NotBefore.Sub(at.Mono), tc.rests)
		}
	}
	// What only waits for something else is said once.
	h, l, p := imagePod(corev1.PullIfNotPresent)
	for range 3 {
		h.HandlePulled(p, ofContainer, Pulled{Image: "app", Reason: "ClockNotSet"}, at)
	}
	if len(l.events) != 1 {
		t.Errorf("%v", l.events)
	}
}

// Why a container waits for an image that nobody pulls now, in the kubelet's words.
func TestImageAwaited(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy corev1.PullPolicy
		pull   *state.PullRecord
		reason string // "": what was said before holds
		text   string
	}{
		{"it may never be pulled", corev1.PullNever, nil, "ErrImageNeverPull", "is not present with pull policy of Never"},
		{"it may never be pulled, and its signature is wrong", corev1.PullNever, &state.PullRecord{Reason: "SignatureValidationFailed", Error: "no key"}, "ImagePullBackOff", "SignatureValidationFailed: no key"},
		{"a pull has failed", corev1.PullAlways, &state.PullRecord{Reason: "ErrImagePull", Error: "no route"}, "ImagePullBackOff", "Back-off pulling image"},
		{"images are not pulled", corev1.PullAlways, nil, "ImagePullBackOff", "images are not pulled"},
		{"the clock is not set", corev1.PullAlways, &state.PullRecord{Reason: "ClockNotSet"}, "", ""},
		{"the hours have not come", corev1.PullAlways, &state.PullRecord{Reason: "ImagePullWindow"}, "", ""},
	} {
		for _, target := range []PullTarget{ofContainer, ofVolume} {
			h, _, p := imagePod(tc.policy)
			c := p.Record.Container("c")
			before := &state.Waiting{Reason: "before"}
			c.Waiting = before
			if tc.pull != nil {
				pull := *tc.pull
				c.Pull, p.Record.Volumes.Pulls = &pull, map[string]*state.PullRecord{"v": &pull}
			}
			h.HandleOutcome(p, executor.ImageAwaited{AwaitImage: plan.AwaitImage{Name: target.Container, Volume: target.Volume}}, at)
			w := c.Waiting
			if target == ofVolume {
				pull := p.Record.Volumes.Pulls["v"]
				if !pull.Awaited || c.Waiting != before {
					t.Errorf("%s: it is said of the container, or will be said again: %+v", tc.name, pull)
				}
				if w = pull.Waiting; w != nil && !strings.Contains(p.Record.Volumes.Error, w.Message) {
					t.Errorf("%s: the pod says %q", tc.name, p.Record.Volumes.Error)
				}
			} else if w == before {
				w = nil
			}
			switch {
			case tc.reason == "" && w != nil, tc.reason != "" && (w == nil || w.Reason != tc.reason || !strings.Contains(w.Message, tc.text)):
				t.Errorf("%s, %+v: %+v", tc.name, target, w)
			}
		}
	}
}

func TestPullBegun(t *testing.T) {
	h, l, p := imagePod(corev1.PullAlways)
	h.HandleOutcome(p, executor.PullBegun{PullImage: plan.PullImage{Name: "c"}}, at)
	h.HandleOutcome(p, executor.PullBegun{PullImage: plan.PullImage{Volume: "v"}}, at)
	h.HandleOutcome(p, executor.PullBegun{PullImage: plan.PullImage{Name: "c"}, Result: executor.Result{Err: executor.ErrSkipped}}, at)
	if fmt.Sprint(l.pulls) != "[c v]" {
		t.Errorf("%v", l.pulls)
	}
}

// A pull ends with whoever waits for it: with its pod, and with the edit that names another image.
func TestCancelPulls(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Pod)
		want   int // that are cancelled
	}{
		{"nothing has changed", func(*Pod) {}, 0},
		{"the container names another image", func(p *Pod) { p.Record.Object.Spec.Containers[0].Image = "app2" }, 1},
		{"the volume is gone", func(p *Pod) { p.Record.Object.Spec.Volumes = nil }, 1},
		{"the pod ends", func(p *Pod) { p.Record.Stop = &state.StopRecord{} }, 2},
		{"the pod has failed", func(p *Pod) { p.Record.Finish = &state.FinishRecord{} }, 2},
	} {
		_, _, p := imagePod(corev1.PullAlways)
		cancelled := 0
		p.Pulls[ofContainer] = &Pull{Image: "app", Cancel: func() { cancelled++ }}
		p.Pulls[ofVolume] = &Pull{Image: "data", Cancel: func() { cancelled++ }}
		tc.change(p)
		p.CancelPulls()
		if cancelled != tc.want || len(p.Pulls) != 2-tc.want {
			t.Errorf("%s: %d cancelled, %d left", tc.name, cancelled, len(p.Pulls))
		}
	}
}

// Volumes that cannot be made are tried ever less often, and at once when something has come meanwhile.
func TestVolumesOutcomes(t *testing.T) {
	gone := executor.Result{Err: errors.New(`configmap "x" not found`)}
	h, l, p := newPod(state.PodRunning, waiting, waiting)
	h.HandleOutcome(p, executor.VolumesEnsured{Result: gone}, at)
	if v := p.Record.Volumes; v.Ready || v.NotBefore <= at.Mono || v.Error == "" || p.Retry != 0 || fmt.Sprint(l.events) != "[Warning FailedMount]" {
		t.Errorf("%+v, retry %s, %v", v, p.Retry, l.events)
	}
	p.Refresh = true
	h.HandleOutcome(p, executor.VolumesEnsured{Result: gone}, at)
	if p.Record.Volumes.NotBefore != 0 || p.Refresh {
		t.Error("something has come since, and is waited for")
	}
	h.HandleOutcome(p, executor.VolumesEnsured{Result: executor.Result{Err: executor.ErrSkipped}}, at)
	h.HandleOutcome(p, executor.VolumesEnsured{Folders: map[string]string{"v": "/f"}}, at)
	if v := p.Record.Volumes; !v.Ready || v.Error != "" || v.Folders["v"] != "/f" || l.volumes != 1 || len(l.events) != 2 {
		t.Errorf("%+v, shown %d times, %v", v, l.volumes, l.events)
	}
	// A refresh of what is there keeps what it has: what is missing is waited for, anything else is tried again.
	for _, tc := range []struct {
		err    error
		retry  bool
		events int
	}{{nil, false, 0}, {executor.ErrSkipped, false, 0}, {fmt.Errorf("configmap: %w", volume.ErrNotFound), false, 1}, {errors.New("no room"), true, 1}} {
		h, l, p := newPod(state.PodRunning, collected, running)
		h.HandleOutcome(p, executor.VolumesRefreshed{Result: executor.Result{Err: tc.err}}, at)
		if (p.Retry > at.Mono) != tc.retry || p.Refresh != tc.retry || len(l.events) != tc.events {
			t.Errorf("%v: retry %s, %v", tc.err, p.Retry, l.events)
		}
	}
}

// A pod that takes more of the board than its sizeLimit is evicted, once, and not while it ends already.
func TestEviction(t *testing.T) {
	excess := executor.VolumesMeasured{Used: 5, Excess: `Usage of EmptyDir volume "v" exceeds the limit "1Mi". `}
	for _, tc := range []struct {
		name    string
		state   state.PodState
		outcome executor.VolumesMeasured
		evicted bool
	}{
		{"it runs", state.PodRunning, excess, true},
		{"within its limits", state.PodRunning, executor.VolumesMeasured{Used: 5}, false},
		{"nobody knows", state.PodRunning, executor.VolumesMeasured{Excess: "x", Result: executor.Result{Err: errors.New("EIO")}}, false},
		{"it ends", state.PodStopping, excess, false},
		{"it has ended", state.PodFinished, excess, false},
	} {
		h, l, p := newPod(tc.state, collected, running)
		h.HandleOutcome(p, tc.outcome, at)
		h.HandleOutcome(p, tc.outcome, at)
		f := p.Record.Finish
		if (f != nil) != tc.evicted || tc.evicted && (!f.Failed || f.Reason != status.ReasonEvicted || f.Message != excess.Excess || f.Grace != 0 || fmt.Sprint(l.events) != "[Warning Evicted]" || l.marked != 1) {
			t.Errorf("%s: %+v, %v, marked %d", tc.name, f, l.events, l.marked)
		}
	}
}

// Whatever keeps a pod from going is tried ever less often and logged once: a disk that has become read-only stays so for hours.
func TestWhatDoesNotGoIsTriedLessOften(t *testing.T) {
	full := executor.Result{Err: errors.New("read-only file system")}
	for name, tc := range map[string]struct {
		state   state.PodState
		outcome executor.Outcome
	}{
		"sandbox":   {state.PodStopping, executor.SandboxRemoved{Result: full}},
		"volumes":   {state.PodFinishing, executor.PodFinished{Result: full}},
		"logs":      {state.PodStopping, executor.PodForgotten{Result: full}},
		"container": {state.PodStopping, executor.ContainerCollected{CollectContainer: plan.CollectContainer{Name: "c"}, Result: full}},
	} {
		h, l, p := newPod(tc.state, collected, exited)
		var last time.Duration
		for range 12 {
			h.HandleOutcome(p, tc.outcome, at)
			last = p.Retry.Sub(at.Mono)
		}
		if last != time.Minute || p.Record.State != tc.state {
			t.Errorf("%s: at last it is tried every %s; the pod is %s", name, last, p.Record.State)
		}
		if len(l.events) != 12 || l.events[0] != "Warning FailedKillPod" {
			t.Errorf("%s: %v", name, l.events)
		}
	}
	h, l, p := newPod(state.PodStopping, collected, collected)
	h.HandleOutcome(p, executor.SandboxRemoved{Result: executor.Result{Err: executor.ErrSkipped}}, at)
	if len(l.events) != 0 {
		t.Errorf("what was left out has failed: %v", l.events)
	}
	ready := at
	p.Record.Sandbox.Ready = &ready
	h.HandleOutcome(p, executor.SandboxRemoved{}, at)
	if !p.Record.Sandbox.Removed || l.removed != 1 {
		t.Errorf("%+v, resources changed %d times", p.Record.Sandbox, l.removed)
	}
}

// A change of limits is done when the kernel has taken the limits that the pod has now; one that it cannot take is told once.
func TestResized(t *testing.T) {
	resizing := func() (*Handler, *loop, *Pod) {
		h, l, p := newPod(state.PodRunning, collected, running)
		p.Record.Resize = &state.ResizeRecord{Before: map[string]corev1.ResourceRequirements{"c": {}}}
		return h, l, p
	}
	h, l, p := resizing()
	h.HandleOutcome(p, executor.PodResized{Object: p.Record.Object}, at)
	if p.Record.Resize != nil || l.removed != 1 || fmt.Sprint(l.events) != "[Normal ResizeCompleted]" {
		t.Errorf("%+v, %v", p.Record.Resize, l.events)
	}
	h, l, p = resizing()
	h.HandleOutcome(p, executor.PodResized{Object: p.Record.Object.DeepCopy()}, at)
	if p.Record.Resize == nil || l.removed != 0 || len(l.events) != 0 {
		t.Error("the limits of before the last edit count")
	}
	for range 3 {
		h.HandleOutcome(p, executor.PodResized{Object: p.Record.Object, Result: executor.Result{Err: errors.New("in use")}}, at)
	}
	h.HandleOutcome(p, executor.PodResized{Result: executor.Result{Err: executor.ErrSkipped}}, at)
	if p.Record.Resize.Error != "in use" || p.Record.Resize.NotBefore <= at.Mono || fmt.Sprint(l.events) != "[Warning ResizeError]" || p.Retry != 0 {
		t.Errorf("%+v, %v, retry %s", p.Record.Resize, l.events, p.Retry)
	}
}

// The events of a container name the field that it is from, as `kubectl describe` sorts them by.
func TestEventsOfContainers(t *testing.T) {
	h, l, p := newPod(state.PodRunning, running, running)
	p.Record.AddEphemeral([]corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e"}}})
	for _, name := range []string{"", "c", "i", "e"} {
		h.Event(p, name, at, "Normal", "R", "")
	}
	if want := "[Normal R Normal R spec.containers{c} Normal R spec.initContainers{i} Normal R spec.ephemeralContainers{e}]"; fmt.Sprint(l.events) != want {
		t.Errorf("%v", l.events)
	}
}

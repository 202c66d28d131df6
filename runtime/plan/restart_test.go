package plan

import (
	"fmt"
	"slices"
	"testing"
	"testing/quick"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

// Every kind of container by every policy, its own before the pod's.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
func TestRestarts(t *testing.T) {
	for _, c := range []struct {
		name         string
		c            ContainerView
		always, fail bool // what Always and OnFailure say
		never        bool
	}{
		{"an app's that has succeeded", ContainerView{Kind: state.KindMain}, true, false, false},
		{"an app's that has failed", ContainerView{Kind: state.KindMain, Failed: true}, true, true, false},
		{"an init container that has succeeded", ContainerView{Kind: state.KindInit}, false, false, false},
		{"an init container that has failed", ContainerView{Kind: state.KindInit, Failed: true}, true, true, false},
		{"a sidecar that has ended", ContainerView{Kind: state.KindSidecar}, true, true, true},
		{"an ephemeral one that has failed", ContainerView{Kind: state.KindEphemeral, Failed: true}, false, false, false},
		{"an ephemeral one that never was", ContainerView{Kind: state.KindEphemeral, Void: true}, true, true, true},
		{"one that never was", ContainerView{Kind: state.KindMain, Void: true, Failed: true}, true, true, true},
		{"one that was changed", ContainerView{Kind: state.KindMain, Changed: true}, true, true, true},
		{"one whose exit code has a rule", ContainerView{Kind: state.KindMain, Rule: corev1.ContainerRestartRuleActionRestart}, true, true, true},
		{"one with Never of its own", ContainerView{Kind: state.KindMain, Failed: true, RestartPolicy: never}, false, false, false},
		{"one with Always of its own", ContainerView{Kind: state.KindMain, RestartPolicy: always}, true, true, true},
		{"one with OnFailure of its own", ContainerView{Kind: state.KindMain, RestartPolicy: onFailure}, false, false, false},
	} {
		for policy, want := range map[corev1.RestartPolicy]bool{always: c.always, onFailure: c.fail, never: c.never} {
			if got := Restarts(policy, c.c); got != want {
				t.Errorf("%s, %s: %v", c.name, policy, got)
			}
		}
	}
}

// The first rule that an exit code fits says what is done. KEP-5307
func TestRestartRule(t *testing.T) {
	const restart, all = corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers
	rule := func(a corev1.ContainerRestartRuleAction, op corev1.ContainerRestartRuleOnExitCodesOperator, codes ...int32) corev1.ContainerRestartRule {
		return corev1.ContainerRestartRule{Action: a, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: op, Values: codes}}
	}
	const in, notIn = corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn
	for _, c := range []struct {
		name  string
		rules []corev1.ContainerRestartRule
		code  int
		want  corev1.ContainerRestartRuleAction
	}{
		{"no rules", nil, 42, ""},
		{"one of them", []corev1.ContainerRestartRule{rule(restart, in, 1, 42)}, 42, restart},
		{"none of them", []corev1.ContainerRestartRule{rule(restart, in, 1, 42)}, 2, ""},
		{"any but", []corev1.ContainerRestartRule{rule(restart, notIn, 1)}, 42, restart},
		{"but that one", []corev1.ContainerRestartRule{rule(restart, notIn, 42)}, 42, ""},
		{"0 too", []corev1.ContainerRestartRule{rule(restart, in, 0)}, 0, restart},
		{"the first", []corev1.ContainerRestartRule{rule(all, in, 42), rule(restart, in, 42)}, 42, all},
		{"the second", []corev1.ContainerRestartRule{rule(all, in, 1), rule(restart, in, 42)}, 42, restart},
		{"one without codes", []corev1.ContainerRestartRule{{Action: all}, rule(restart, in, 42)}, 42, restart},
	} {
		if got := RestartRule(&corev1.Container{RestartPolicyRules: c.rules}, c.code); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A delay never exceeds the longest, never shrinks in a row of crashes, and is gone after ten good minutes.
func TestDelaysOfCrashes(t *testing.T) {
	holds := func(seconds uint16, most uint16, crashes uint8) bool {
		longest := time.Duration(most) * time.Second
		current, before := time.Duration(0), time.Duration(-1)
		for range int(crashes%20) + 1 {
			delay, next := RestartDelay(current, time.Duration(seconds%600)*time.Second, longest)
			if delay > longest || next > longest || delay < before {
				return false
			}
			current, before = next, delay
		}
		delay, next := RestartDelay(current, 10*time.Minute, longest)
		return delay == 0 && next == min(10*time.Second, longest)
	}
	if err := quick.Check(holds, nil); err != nil {
		t.Error(err)
	}
}

// What a record has of a back-off, after an end.
func TestScheduleRestart(t *testing.T) {
	now := state.Instant{Wall: time.Unix(5000, 0), Mono: 1000 * second}
	started := func(ago state.BootTime) *state.Instant { return &state.Instant{Mono: now.Mono - ago} }
	for _, c := range []struct {
		name       string
		c          state.ContainerRecord
		restartAll bool
		backoff    time.Duration
		notBefore  state.BootTime
	}{
		{"the first crash", state.ContainerRecord{Started: started(second)}, false, 10 * time.Second, now.Mono},
		{"the third", state.ContainerRecord{Backoff: 20 * time.Second, Started: started(second)}, false, 40 * time.Second, now.Mono + 20*second},
		{"the longest", state.ContainerRecord{Backoff: 5 * time.Minute, Started: started(second)}, false, 5 * time.Minute, now.Mono + 300*second},
		{"after ten minutes", state.ContainerRecord{Backoff: 5 * time.Minute, Started: started(600 * second)}, false, 10 * time.Second, now.Mono},
		{"nobody knows since when it ran", state.ContainerRecord{Backoff: 5 * time.Minute}, false, 10 * time.Second, now.Mono},
		{"it was changed", state.ContainerRecord{Backoff: 5 * time.Minute, NotBefore: 7, Changed: true, Started: started(second)}, false, 0, 0},
		{"all begin anew", state.ContainerRecord{Backoff: 5 * time.Minute, NotBefore: 7, Started: started(second)}, true, 0, 0},
	} {
		rec := &state.Record{RestartAll: c.restartAll}
		ScheduleRestart(rec, &c.c, BackoffLongest, now)
		if c.c.Backoff != c.backoff || c.c.NotBefore != c.notBefore {
			t.Errorf("%s: back-off %v, not before %v, want %v, %v", c.name, c.c.Backoff, c.c.NotBefore, c.backoff, c.notBefore)
		}
	}
}

// A start that could not be made waits at least ten seconds; a command that could not be started is tried again at once
// the first time, as after a crash.
func TestPostponeStart(t *testing.T) {
	now := state.Instant{Mono: 1000 * second}
	for _, c := range []struct {
		name    string
		crashed bool
		before  time.Duration
		longest time.Duration
		delay   state.BootTime
		next    time.Duration
	}{
		{"not made, the first time", false, 0, BackoffLongest, 10 * second, 20 * time.Second},
		{"not made, the second time", false, 20 * time.Second, BackoffLongest, 20 * second, 40 * time.Second},
		{"not started, the first time", true, 0, BackoffLongest, 0, 10 * time.Second},
		{"not started, the second time", true, 10 * time.Second, BackoffLongest, 10 * second, 20 * time.Second},
		{"at most what the node says", false, 0, time.Second, second, time.Second},
	} {
		r := &state.ContainerRecord{Backoff: c.before}
		PostponeStart(r, c.crashed, c.longest, now)
		if r.NotBefore != now.Mono+c.delay || r.Backoff != c.next {
			t.Errorf("%s: in %v, then %v, want %v, %v", c.name, r.NotBefore-now.Mono, r.Backoff, c.delay, c.next)
		}
	}
}

// Names of actions are what logs and errors say of them: each has its own.
func TestActionsHaveNames(t *testing.T) {
	seen := map[string]string{}
	for _, a := range AllActions() {
		typ := fmt.Sprintf("%T", a)
		if other, twice := seen[a.String()]; twice || a.String() == "" {
			t.Errorf("%s says %q, as %s does", typ, a, other)
		}
		seen[a.String()] = typ
		if slices.Contains([]string{"plan.StartContainer", "plan.PullImage", "plan.ResizePod", "plan.RefreshVolumes", "plan.MeasureVolumes"}, typ) != StandsAlone(a) {
			t.Errorf("%s stands alone: %v", typ, StandsAlone(a))
		}
		if slices.Contains([]string{"plan.CollectContainer", "plan.StopContainer", "plan.KillContainer", "plan.ResizePod"}, typ) != Cleans(a) {
			t.Errorf("%s cleans: %v", typ, Cleans(a))
		}
	}
	for want, a := range map[string]Action{
		"pull image of c": PullImage{Name: "c"}, "pull image of volume v": PullImage{Volume: "v"}, "await image of c": AwaitImage{Name: "c"},
		"await image of volume v": AwaitImage{Volume: "v"}, "pre-stop c": RunPreStop{"c"}, "post-start c": RunPostStart{"c"}, "collect c#3": CollectContainer{"c", 3},
	} {
		if a.String() != want {
			t.Errorf("%q, want %q", a, want)
		}
	}
}

// Decisions about images, limits and what is looked at later.
func TestPlanOfWhatIsMissing(t *testing.T) {
	const now = 100 * second
	main := one(ContainerView{State: state.ContainerWaiting, Attempt: -1, Image: true})
	running := one(ContainerView{State: state.ContainerRunning})
	waits := func(c ContainerView) View {
		c.State, c.Attempt = state.ContainerWaiting, -1
		return View{State: state.PodRunning, Wanted: true, Containers: one(c)}
	}
	image := func(i Image, awaited bool) []VolumeImage {
		return []VolumeImage{{Volume: "v", Awaited: awaited, Image: i}}
	}
	for _, c := range []struct {
		name string
		v    View
		want string
		wake state.BootTime
	}{
		{"an image is to be pulled", waits(ContainerView{Pull: true}), "[pull image of c]", 0},
		{"not yet", waits(ContainerView{Pull: true, PullAfter: now + second}), "[await image of c]", now + second},
		{"not yet, which was said", waits(ContainerView{Pull: true, PullAfter: now + second, Awaited: true}), "[]", now + second},
		{"at that moment", waits(ContainerView{Pull: true, PullAfter: now, Awaited: true}), "[pull image of c]", 0},
		{"it is being pulled", waits(ContainerView{Pull: true, Pulling: true}), "[]", 0},
		{"a try that never was keeps its number", View{State: state.PodRunning, Wanted: true, Containers: one(ContainerView{State: state.ContainerCollected, Attempt: 3, Void: true, Image: true})}, "[start c#3]", 0},

		{"a volume's image is to be pulled", View{State: state.PodRunning, Wanted: true, NeedVolumes: true, VolumeImages: image(Image{Pull: true}, false), Containers: main}, "[pull image of volume v]", 0},
		{"a volume's image, not yet", View{State: state.PodRunning, Wanted: true, NeedVolumes: true, VolumeImages: image(Image{Pull: true, After: now + second}, false), Containers: main}, "[await image of volume v]", now + second},
		{"a volume's image that nobody pulls", View{State: state.PodRunning, Wanted: true, NeedVolumes: true, VolumeImages: image(Image{}, true), Containers: main}, "[]", 0},
		{"a volume's image is being pulled", View{State: state.PodWaiting, Wanted: true, NeedVolumes: true, VolumeImages: image(Image{Pull: true, Pulling: true}, false), Containers: main}, "[ensure sandbox]", 0},
		{"volumes later", View{State: state.PodRunning, Wanted: true, NeedVolumes: true, VolumesAfter: now + second, Containers: main}, "[]", now + second},
		{"volumes", View{State: state.PodRunning, Wanted: true, NeedVolumes: true, VolumesAfter: now, Containers: main}, "[ensure volumes]", 0},

		{"limits", View{State: state.PodRunning, Wanted: true, Resize: true, Containers: running}, "[resize]", 0},
		{"limits later", View{State: state.PodRunning, Wanted: true, Resize: true, ResizeAfter: now + second, Containers: running}, "[]", now + second},
		{"volumes are measured", View{State: state.PodRunning, Wanted: true, Measure: true, MeasureAt: now, Containers: running}, "[measure volumes]", 0},
		{"volumes are measured later", View{State: state.PodRunning, Wanted: true, Measure: true, MeasureAt: now + second, Containers: running}, "[]", now + second},
		{"volumes are refreshed first", View{State: state.PodRunning, Wanted: true, Refresh: true, Resize: true, Containers: running}, "[refresh volumes resize]", 0},
		{"the earliest of two moments", View{State: state.PodRunning, Wanted: true, Measure: true, MeasureAt: now + 9*second, Resize: true, ResizeAfter: now + 2*second, Containers: running}, "[]", now + 2*second},
		{"it does not fit", View{State: state.PodWaiting, Wanted: true, Unfit: true, Containers: main}, "[]", 0},
		{"it has gone", View{State: state.PodGone, Wanted: true, Containers: main}, "[]", 0},
		{"a sandbox is made anew", View{State: state.PodRunning, Wanted: true, Remake: true, Containers: running}, "[kill c]", 0},
		{"a sandbox is made anew, later", View{State: state.PodRunning, Wanted: true, Remake: true, SandboxAfter: now + second, Containers: main}, "[]", now + second},
		{"a sandbox is made anew, now", View{State: state.PodRunning, Wanted: true, Remake: true, Containers: main}, "[reset containers ensure sandbox]", 0},
	} {
		t.Run(c.name, func(t *testing.T) { checkPlan(t, c.v, now, c.want, c.wake) })
	}
}

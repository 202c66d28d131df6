package prober

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/probe"
	"podd/runtime/container/spec"
	"podd/runtime/state"
)

var now = state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}

// noProbes is a daemon's prober whose probes are an hour away; ExecConfig counts its calls.
func noProbes(t *testing.T) (*Prober, *int) {
	t.Helper()
	configs := new(int)
	return New(&Prober{
		Log: slog.New(slog.DiscardHandler), Paths: state.Paths{Run: t.TempDir()},
		News:      func(n News) { t.Errorf("a probe was made: %+v", n) },
		HookEnded: func(HookEnded) {},
		ExecConfig: func(*state.Record, *state.ContainerRecord) (*spec.Config, error) {
			*configs++
			return nil, errors.New("its image is gone")
		},
	}), configs
}

// probed is a pod with one container that has these probes and runs.
func probed(kinds ...Kind) (*state.Record, *state.ContainerRecord) {
	c := corev1.Container{Name: "c"}
	for _, k := range kinds {
		switch k {
		case Startup:
			c.StartupProbe = after(1, 3)
		case Liveness:
			c.LivenessProbe = after(1, 3)
		case Readiness:
			c.ReadinessProbe = after(1, 3)
		}
	}
	rec := state.NewRecord("u", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.PodSpec{Containers: []corev1.Container{c}}}, now)
	rec.State = state.PodRunning
	started := now
	rec.Containers[0].State, rec.Containers[0].Attempt, rec.Containers[0].Started = state.ContainerRunning, 0, &started
	return rec, rec.Containers[0]
}

// Which probes are made when: the startup probe alone until it has succeeded, liveness only of what runs and is to run on, and
// readiness until the container is gone.
// https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
func TestWants(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*state.Record, *state.ContainerRecord)
		want   string // Startup, Liveness, Readiness
	}{
		{"before it runs", func(_ *state.Record, c *state.ContainerRecord) { c.State = state.ContainerStarting }, ""},
		{"in its postStart hook", func(_ *state.Record, c *state.ContainerRecord) { c.State = state.ContainerPostStart }, ""},
		{"it starts up", nil, "S"},
		{"it has started up", func(_ *state.Record, c *state.ContainerRecord) { c.StartedOK = true }, "LR"},
		{"it is unhealthy", func(_ *state.Record, c *state.ContainerRecord) { c.StartedOK, c.Unhealthy = true, true }, "R"},
		{"it ends alone", func(_ *state.Record, c *state.ContainerRecord) { c.StartedOK, c.EndReason = true, "changed" }, "R"},
		{"it ends alone while it starts up", func(_ *state.Record, c *state.ContainerRecord) { c.EndReason = "changed" }, ""},
		{"its postStart hook has failed", func(_ *state.Record, c *state.ContainerRecord) {
			c.StartedOK, c.EndReason = true, state.EndReasonPostStart
		}, ""},
		{"its pod is removed", func(r *state.Record, c *state.ContainerRecord) { c.StartedOK, r.Stop = true, &state.StopRecord{} }, "R"},
		{"its preStop hook runs", func(r *state.Record, c *state.ContainerRecord) {
			c.StartedOK, c.State, r.Stop = true, state.ContainerPreStop, &state.StopRecord{}
		}, "R"},
		{"it was told to stop", func(r *state.Record, c *state.ContainerRecord) {
			c.StartedOK, c.State, r.Stop = true, state.ContainerStopping, &state.StopRecord{}
		}, "R"},
		{"its pod has failed", func(r *state.Record, c *state.ContainerRecord) { c.StartedOK, r.Finish = true, &state.FinishRecord{} }, ""},
		{"it has ended", func(_ *state.Record, c *state.ContainerRecord) { c.StartedOK, c.State = true, state.ContainerExited }, ""},
	} {
		rec, c := probed(Startup, Liveness, Readiness)
		if tc.change != nil {
			tc.change(rec, c)
		}
		got := ""
		for _, k := range Kinds {
			if wants(rec, c, k) {
				got += string(k[0])
			}
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	rec, c := probed()
	for _, k := range Kinds {
		if wants(rec, c, k) {
			t.Errorf("a container without probes has a %s probe", k)
		}
	}
}

// The schedule follows the record: each attempt has probes of its own, what they find of another is no news, and nothing is
// scheduled twice.
func TestSync(t *testing.T) {
	pr, configs := noProbes(t)
	rec, c := probed(Startup, Liveness, Readiness)
	p := &Pod{}
	scheduled := func() string { return fmt.Sprint(p.Scheduled("c")) }
	pr.Sync(p, rec, now)
	first := p.probes["c"]
	pr.Sync(p, rec, now)
	if scheduled() != "[Startup]" || p.probes["c"] != first {
		t.Fatalf("%s", scheduled())
	}
	startup := p.NewsOf("c", Startup, probe.Report{Result: probe.Success})
	if startup.UID != "u" || !p.IsCurrent(rec, startup) {
		t.Errorf("its own news: %+v", startup)
	}
	c.StartedOK = true
	pr.Sync(p, rec, now)
	if scheduled() != "[Liveness Readiness]" || p.IsCurrent(rec, startup) {
		t.Errorf("after it has started up: %s, and its startup probe counts: %t", scheduled(), p.IsCurrent(rec, startup))
	}
	liveness := p.NewsOf("c", Liveness, probe.Report{})
	c.State = state.ContainerExited
	pr.Sync(p, rec, now)
	if scheduled() != "[]" || len(p.probes) != 0 || p.IsCurrent(rec, liveness) {
		t.Errorf("after it has ended: %s", scheduled())
	}
	c.State, c.Attempt = state.ContainerRunning, 1
	pr.Sync(p, rec, now)
	if scheduled() != "[Liveness Readiness]" || p.IsCurrent(rec, liveness) || !p.IsCurrent(rec, p.NewsOf("c", Liveness, probe.Report{})) {
		t.Errorf("the next attempt: %s; what was found of the first counts: %t", scheduled(), p.IsCurrent(rec, liveness))
	}
	// The next attempt may come before anybody has seen the end of the one before.
	old := p.probes["c"]
	c.Attempt = 2
	pr.Sync(p, rec, now)
	if p.probes["c"] == old || old.handles != [len(Kinds)]*probe.Handle{} {
		t.Error("the probes of another attempt go on")
	}
	rec.Stop = &state.StopRecord{}
	pr.Sync(p, rec, now)
	if scheduled() != "[Readiness]" {
		t.Errorf("while its pod ends: %s", scheduled())
	}
	if n := p.NewsOf("nobody", Liveness, probe.Report{}); p.IsCurrent(rec, n) {
		t.Error("news of a container that is not there are current")
	}
	if *configs != 0 {
		t.Error("the commands of a container are prepared that has none")
	}
}

// A container whose command cannot be prepared is probed all the same, and found to be unknown: never ready by mistake.
func TestCommandsThatCannotBePrepared(t *testing.T) {
	pr, configs := noProbes(t)
	rec, _ := probed(Liveness)
	rec.Object.Spec.Containers[0].LivenessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}
	p := &Pod{}
	pr.Sync(p, rec, now)
	if *configs != 1 || len(p.Scheduled("c")) != 1 {
		t.Fatalf("prepared %d times, scheduled %v", *configs, p.Scheduled("c"))
	}
	if result, text := (worker{p.probes["c"], Liveness}).Check(t.Context()); result != probe.Unknown || text == "" {
		t.Errorf("%s: %s", result, text)
	}
}

// A probe goes on counting where an earlier daemon has stopped, and begins its delay with the container, not with podd.
func TestProbePlanAfterARestart(t *testing.T) {
	rec, c := probed(Readiness)
	probe := rec.Object.Spec.Containers[0].ReadinessProbe
	probe.InitialDelaySeconds, probe.PeriodSeconds, probe.TimeoutSeconds, probe.SuccessThreshold = 30, 5, 2, 4
	c.ProbeRuns = &state.ProbeRuns{Readiness: state.ProbeRun{Result: "Success", Count: 3}, Liveness: state.ProbeRun{Result: "Failure", Count: 1}}
	later := state.Instant{Mono: now.Mono.Add(20 * time.Second)}
	plan := probePlan(rec, c, &rec.Object.Spec.Containers[0], Readiness, later)
	if plan.First != 10*time.Second || plan.Period != 5*time.Second || plan.Timeout != 2*time.Second || plan.Run.Count != 3 || plan.Thresholds.Success != 4 {
		t.Errorf("%+v", plan)
	}
	for _, k := range Kinds {
		runs := &state.ProbeRuns{}
		k.RunIn(runs).Count = 1
		if (runs.Startup.Count == 1) != (k == Startup) || (runs.Liveness.Count == 1) != (k == Liveness) || (runs.Readiness.Count == 1) != (k == Readiness) {
			t.Errorf("%s is recorded as %+v", k, runs)
		}
	}
}

// hooked is a pod in the state of a hook.
func hooked(s state.ContainerState, h corev1.LifecycleHandler) (*state.Record, *state.ContainerRecord) {
	rec, c := probed()
	rec.Object.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: &h, PreStop: &h}
	c.State = s
	return rec, c
}

// The end of a hook is of interest as long as its container is where the hook left it; a preStop hook also when its grace was over
// before it was.
func TestTakeHook(t *testing.T) {
	all := []state.ContainerState{
		state.ContainerWaiting, state.ContainerStarting, state.ContainerPostStart, state.ContainerRunning, state.ContainerPreStop, state.ContainerStopping,
		state.ContainerExited, state.ContainerCollected,
	}
	for hook, wanted := range map[state.ContainerState][]state.ContainerState{
		state.ContainerPostStart: {state.ContainerPostStart},
		state.ContainerPreStop:   {state.ContainerPreStop, state.ContainerStopping},
	} {
		for _, s := range all {
			ended := make(chan HookEnded, 1)
			pr, _ := noProbes(t)
			pr.HookEnded = func(e HookEnded) { ended <- e }
			rec, c := hooked(hook, corev1.LifecycleHandler{Sleep: &corev1.SleepAction{}})
			p := &Pod{}
			pr.StartHook(p, rec, c)
			e := <-ended
			c.State = s
			if got := p.TakeHook(rec, e); got != slices.Contains(wanted, s) {
				t.Errorf("the end of %s in %s: %t", HookName(hook), s, got)
			} else if got && p.HookRuns("c") {
				t.Errorf("%s runs on in %s", HookName(hook), s)
			}
			if p.TakeHook(rec, e) && slices.Contains(wanted, s) {
				t.Errorf("the end of %s is taken in twice", HookName(hook))
			}
		}
	}
	rec, _ := hooked(state.ContainerPreStop, corev1.LifecycleHandler{})
	if (&Pod{}).TakeHook(rec, HookEnded{Name: "c"}) || (&Pod{}).TakeHook(rec, HookEnded{Name: "none", run: &hookRun{}}) {
		t.Error("the end of a hook that nobody has begun is taken in")
	}
}

// A hook whose container ends is ended, and whether that was a preStop hook is known: one that is cut off has failed.
func TestEndHook(t *testing.T) {
	for s, preStop := range map[state.ContainerState]bool{state.ContainerPostStart: false, state.ContainerPreStop: true} {
		ended := make(chan HookEnded, 1)
		pr, _ := noProbes(t)
		pr.HookEnded = func(e HookEnded) { ended <- e }
		rec, c := hooked(s, corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 3600}})
		p := &Pod{}
		pr.StartHook(p, rec, c)
		if !p.HookRuns("c") || p.HookRuns("other") {
			t.Error("which hooks run is not known")
		}
		if p.EndHook("other") || p.EndHook("c") != preStop || p.HookRuns("c") {
			t.Errorf("%s: ended as another", s)
		}
		if e := <-ended; p.TakeHook(rec, e) {
			t.Errorf("%s: its end is of interest still", s)
		}
		if p.EndHook("c") {
			t.Error("it ends twice")
		}
	}
}

// A command that cannot be run is told at once, as the failure of its hook.
func TestHookThatCannotBePrepared(t *testing.T) {
	var told []HookEnded
	pr, _ := noProbes(t)
	pr.HookEnded = func(e HookEnded) { told = append(told, e) }
	rec, c := hooked(state.ContainerPreStop, corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"bye"}}})
	p := &Pod{}
	pr.StartHook(p, rec, c)
	if len(told) != 1 || told[0].Err == nil || told[0].UID != "u" || told[0].Name != "c" || !p.TakeHook(rec, told[0]) {
		t.Errorf("%+v", told)
	}
}

// Of what a failed hook has written its event has the beginning.
func TestLimitedOutput(t *testing.T) {
	var out limited
	for _, part := range []string{"first ", strings.Repeat("x", 2*hookOutput), "last"} {
		if n, err := out.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("the command is told of %d, %v", n, err)
		}
	}
	if got := string(out.Bytes()); len(got) != hookOutput || !strings.HasPrefix(got, "first xxx") {
		t.Errorf("%d bytes: %.20s", len(got), got)
	}
}

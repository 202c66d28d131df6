package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/images"
	"podd/runtime/container"
	"podd/runtime/container/process"
	"podd/runtime/container/spec"
	"podd/runtime/executor"
	"podd/runtime/plan"
	"podd/runtime/prober"
	"podd/runtime/state"
	"podd/runtime/stdio"
)

var at = state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}

// loop notes what it is told.
type loop struct {
	Loop
	saved, marked  int
	ready, removed int
	finished       int
	forgotten      int
	cgroupsLost    int
	pulls          []string
	volumes        int
	wanted         bool
	shutsDown      bool
	kills          uint64
	events         []string
	hooks          []prober.HookEnded
}

func (l *loop) Save(*Pod)                                { l.saved++ }
func (l *loop) Mark(*Pod)                                { l.marked++ }
func (l *loop) Publish(*Pod, state.Instant)              {}
func (l *loop) Wanted(*Pod) bool                         { return l.wanted }
func (l *loop) StopGrace(*Pod) time.Duration             { return 30 * time.Second }
func (l *loop) SandboxReady(*Pod, state.Instant)         { l.ready++ }
func (l *loop) ResourcesChanged()                        { l.removed++ }
func (l *loop) ShutsDown() bool                          { return l.shutsDown }
func (l *loop) Finished(*Pod)                            { l.finished++ }
func (l *loop) Forget(*Pod)                              { l.forgotten++ }
func (l *loop) SuspectStorage(error)                     {}
func (l *loop) ProcessEnded(types.UID, string)           {}
func (l *loop) OOMKills(string) (uint64, error)          { return l.kills, nil }
func (l *loop) WatchPod(string) error                    { return nil }
func (l *loop) StopSignal(*state.Record, string) string  { return "SIGTERM" }
func (l *loop) LongestBackoff() time.Duration            { return 5 * time.Minute }
func (l *loop) Log(*state.Record, string, int) stdio.Log { return stdio.Log{} }
func (l *loop) Image(*state.Record, string) (images.Image, error) {
	return images.Image{}, nil
}

// ended is the end of a process; the zero value is one that runs.
type ended struct {
	executor.ContainerIO
	over   bool
	status process.ExitStatus
	err    error
}

func (e ended) Ended() bool                                        { return e.over }
func (e ended) ExitStatus(int, uint64) (process.ExitStatus, error) { return e.status, e.err }
func (e ended) WatchExit(func()) error                             { return nil }
func (e ended) Signal(unix.Signal) error                           { return nil }
func (e ended) Attach(context.Context, stdio.Attachment) error     { return nil }

// newPod is a pod of an init container i and a main container c, in states.
func newPod(pod state.PodState, init, main state.ContainerState) (*Handler, *loop, *Pod) {
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "u"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, InitContainers: []corev1.Container{{Name: "i", Image: "app"}},
			Containers: []corev1.Container{{Name: "c", Image: "app", Lifecycle: &corev1.Lifecycle{
				PreStop:   &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"bye"}}},
				PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"hello"}}},
			}}},
		},
	}
	p := NewPod(state.NewRecord("u", object, at))
	p.Record.State = pod
	p.Record.Container("i").State, p.Record.Container("c").State = init, main
	for _, c := range p.Record.Containers {
		c.Attempt = 0
		c.Started = &state.Instant{Wall: at.Wall.Add(-time.Second), Mono: at.Mono - state.BootTime(time.Second)}
	}
	if pod == state.PodStopping {
		p.Record.Stop = &state.StopRecord{Since: at, Grace: 30 * time.Second}
	}
	l := &loop{wanted: pod == state.PodRunning}
	h := &Handler{Loop: l, Inputs: l, Cgroups: l, Log: slog.New(slog.DiscardHandler)}
	h.Prober = prober.New(&prober.Prober{
		Log: slog.New(slog.DiscardHandler),
		ExecConfig: func(*state.Record, *state.ContainerRecord) (*spec.Config, error) {
			return nil, errors.New("no such program")
		},
		HookEnded: func(e prober.HookEnded) { l.hooks = append(l.hooks, e) },
	})
	h.Events = func(_ time.Time, ref corev1.ObjectReference, typ, reason, _ string) {
		l.events = append(l.events, strings.TrimSpace(typ+" "+reason+" "+ref.FieldPath))
	}
	return h, l, p
}

const (
	waiting   = state.ContainerWaiting
	starting  = state.ContainerStarting
	postStart = state.ContainerPostStart
	running   = state.ContainerRunning
	preStop   = state.ContainerPreStop
	stopping  = state.ContainerStopping
	exited    = state.ContainerExited
	collected = state.ContainerCollected
)

var allStates = []state.ContainerState{waiting, starting, postStart, running, preStop, stopping, exited, collected}

// The end of a process is taken in once, in every state in which one can be alive and in no other.
func TestExit(t *testing.T) {
	for _, s := range allStates {
		h, l, p := newPod(state.PodRunning, collected, s)
		p.IO["c"] = ended{over: true, status: process.ExitStatus{Code: 3}}
		c := p.Record.Container("c")
		h.CheckExit(p, "c", at)
		h.CheckExit(p, "c", at)
		if want := s.Alive(); (l.saved == 1) != want || want != (c.State == exited && c.Ended != nil) && s != exited {
			t.Errorf("%s: saved %d, %s, %+v", s, l.saved, c.State, c.Ended)
		}
	}
	h, l, p := newPod(state.PodRunning, collected, running)
	p.IO["c"] = ended{}
	h.CheckExit(p, "c", at)
	h.CheckExit(p, "nobody", at)
	if l.saved != 0 || p.Record.Container("c").State != running {
		t.Error("a process that runs has ended")
	}
	for _, tc := range []struct {
		name    string
		io      ended
		kills   uint64
		code    int
		reason  string
		message bool
	}{
		{"well", ended{over: true}, 0, 0, "Completed", false},
		{"well, a child was killed", ended{over: true}, 1, 0, "Completed", false},
		{"badly", ended{over: true, status: process.ExitStatus{Code: 7}}, 0, 7, "Error", false},
		{"by a signal", ended{over: true, status: process.ExitStatus{Code: 137, Signal: 9}}, 0, 137, "Error", false},
		{"for memory", ended{over: true, status: process.ExitStatus{Code: 137, Signal: 9}}, 1, 137, "OOMKilled", false},
		{"nobody knows how", ended{over: true, err: errors.New("gone")}, 0, 137, "ContainerStatusUnknown", true},
	} {
		h, l, p := newPod(state.PodRunning, collected, running)
		l.kills = tc.kills
		p.IO["c"] = tc.io
		h.CheckExit(p, "c", at)
		e := p.Record.Container("c").Ended
		if e == nil || e.Code != tc.code || e.Reason != tc.reason || (e.Message != "") != tc.message || l.marked != 1 {
			t.Errorf("%s: %+v", tc.name, e)
		}
	}
	for code, done := range map[int]bool{0: true, 1: false} {
		h, _, p := newPod(state.PodRunning, running, waiting)
		p.IO["i"] = ended{over: true, status: process.ExitStatus{Code: code}}
		h.CheckExit(p, "i", at)
		if p.Record.Container("i").Done != done {
			t.Errorf("an init container ended with %d: done %t", code, !done)
		}
	}
}

// What a start comes to: from each state that an outcome may meet, and with each kind of error.
func TestContainerStarted(t *testing.T) {
	skipped, run, config, other := executor.ErrSkipped, container.ErrRun, spec.ErrConfig, errors.New("no room")
	for _, tc := range []struct {
		from   state.ContainerState
		err    error
		to     state.ContainerState
		reason string // why it waits
		void   bool
		failed bool // the action
	}{
		{starting, nil, running, "", false, false},
		{collected, nil, running, "", false, false},
		{starting, skipped, waiting, "", false, false},
		{collected, skipped, collected, "", false, false},
		{starting, fmt.Errorf("x: %w", config), exited, "CreateContainerConfigError", true, true},
		{starting, fmt.Errorf("x: %w", run), exited, "RunContainerError", false, true},
		{starting, other, exited, "CreateContainerError", true, true},
		{running, nil, running, "", false, true}, // illegal: nobody began a start
		{stopping, nil, stopping, "", false, true},
		{exited, nil, exited, "", false, true},
	} {
		h, l, p := newPod(state.PodRunning, collected, tc.from)
		p.Record.Object.Spec.Containers[0].Lifecycle = nil
		c := p.Record.Container("c")
		attempt := c.Attempt
		if tc.from == collected {
			attempt++
		}
		o := executor.ContainerStarted{
			StartContainer: plan.StartContainer{Name: "c", Attempt: attempt}, IO: ended{}, Result: executor.Result{Err: tc.err},
			Process: &container.Process{PID: 7, StartTime: 8},
		}
		err := h.handleContainerStarted(p, o, at)
		reason := ""
		if c.Waiting != nil {
			reason = c.Waiting.Reason
		}
		if c.State != tc.to || reason != tc.reason || c.Void != tc.void || (err != nil) != tc.failed {
			t.Errorf("%s with %v: %s, waits for %q, void %t, %v", tc.from, tc.err, c.State, reason, c.Void, err)
		}
		if tc.to == running && tc.from != running && (c.PID != 7 || !strings.Contains(fmt.Sprint(l.events), "Normal Started")) {
			t.Errorf("%s: %d, %v", tc.from, c.PID, l.events)
		}
		if strings.Contains(fmt.Sprint(l.events), "Normal Started") != (tc.to == running && tc.from != running) {
			t.Errorf("%s with %v says %v", tc.from, tc.err, l.events)
		}
	}
}

// A stop, a kill and a collect meet containers in all states: those that ended meanwhile stay as they are.
func TestStopAndCollect(t *testing.T) {
	for _, s := range allStates {
		h, _, p := newPod(state.PodStopping, collected, s)
		c := p.Record.Container("c")
		c.StopBy = at.After(time.Second)
		h.HandleOutcome(p, executor.ContainerStopped{StopContainer: plan.StopContainer{Name: "c"}, Signal: unix.SIGTERM}, at)
		want := s
		if s.Alive() {
			want = stopping
		}
		if c.State != want {
			t.Errorf("stopped in %s: %s", s, c.State)
		}
		if s.Alive() && s != stopping && c.KillAt != at.After(minimumGrace) {
			t.Errorf("stopped in %s: killed after %v", s, c.KillAt.Sub(at.Mono))
		}
		h, _, p = newPod(state.PodStopping, collected, s)
		c = p.Record.Container("c")
		err := h.handleContainerCollected(p, executor.ContainerCollected{CollectContainer: plan.CollectContainer{Name: "c"}})
		if want := s == exited; (err == nil) != want || want != (c.State == collected) && s != collected {
			t.Errorf("collected in %s: %s, %v", s, c.State, err)
		}
	}
	h, l, p := newPod(state.PodStopping, collected, exited)
	busy := errors.New("device busy")
	h.HandleOutcome(p, executor.ContainerCollected{CollectContainer: plan.CollectContainer{Name: "c"}, Result: executor.Result{Err: busy}}, at)
	if p.Record.Container("c").State != exited || fmt.Sprint(l.events) != "[Warning FailedKillPod]" || p.Retry <= at.Mono {
		t.Errorf("%s, %v, retry %v", p.Record.Container("c").State, l.events, p.Retry)
	}
	h.HandleOutcome(p, executor.ContainerKilled{KillContainer: plan.KillContainer{Name: "c"}, Result: executor.Result{Err: busy}}, at)
	if p.Record.Container("c").Killed {
		t.Error("killed, though the signal could not be sent")
	}
}

// A preStop hook begins where a container runs, again where a daemon has died in it, and nowhere else.
func TestPreStopBegun(t *testing.T) {
	for _, s := range allStates {
		h, l, p := newPod(state.PodStopping, collected, s)
		err := h.handlePreStopBegun(p, executor.PreStopBegun{RunPreStop: plan.RunPreStop{Name: "c"}}, at)
		c := p.Record.Container("c")
		want := s
		if s == postStart || s == running {
			want = preStop
		}
		if err != nil || c.State != want {
			t.Errorf("in %s: %s, %v", s, c.State, err)
		}
		if begun := want == preStop; (len(l.hooks) == 1) != begun {
			t.Fatalf("in %s: %d hooks", s, len(l.hooks))
		}
		for _, e := range l.hooks { // the second time nobody waits for it any more
			h.HandleHookEnded(p, e, at)
			h.HandleHookEnded(p, e, at)
			if !c.Hooked || l.marked != 1 || fmt.Sprint(l.events) != "[Warning FailedPreStopHook spec.containers{c}]" {
				t.Errorf("in %s: %t, %d, %v", s, c.Hooked, l.marked, l.events)
			}
		}
	}
}

// The pod's own states: each outcome moves it from one and leaves all others.
func TestPodOutcomes(t *testing.T) {
	states := []state.PodState{state.PodWaiting, state.PodRunning, state.PodFinishing, state.PodStopping, state.PodFinished}
	for _, tc := range []struct {
		name     string
		outcome  executor.Outcome
		from, to state.PodState
	}{
		{"sandbox", executor.SandboxEnsured{}, state.PodWaiting, state.PodRunning},
		{"finished", executor.PodFinished{}, state.PodFinishing, state.PodFinished},
		{"forgotten", executor.PodForgotten{}, state.PodStopping, state.PodGone},
	} {
		for _, s := range states {
			h, l, p := newPod(s, collected, collected)
			h.HandleOutcome(p, tc.outcome, at)
			want := s
			if s == tc.from {
				want = tc.to
			}
			if p.Record.State != want {
				t.Errorf("%s in %s: %s, want %s", tc.name, s, p.Record.State, want)
			}
			if tc.name == "finished" && (l.finished == 1) != (s == tc.from) {
				t.Errorf("finished in %s: kept %d times", s, l.finished)
			}
		}
	}
	h, l, p := newPod(state.PodWaiting, waiting, waiting)
	full := executor.Result{Err: errors.New("no address is free")}
	for _, wait := range []time.Duration{time.Second, 10 * time.Second, 20 * time.Second} {
		h.HandleOutcome(p, executor.SandboxEnsured{Result: full}, at)
		if got := p.Record.Sandbox.NotBefore.Sub(at.Mono); p.Record.State != state.PodWaiting || got != wait || p.Record.Sandbox.Error == "" {
			t.Errorf("a sandbox that failed is tried after %v, want %v", got, wait)
		}
	}
	if l.ready != 0 || len(l.events) != 3 {
		t.Errorf("%d, %v", l.ready, l.events)
	}
	h, l, p = newPod(state.PodStopping, collected, collected)
	h.HandleOutcome(p, executor.PodForgotten{Result: full}, at)
	if l.forgotten != 0 || p.Record.State != state.PodStopping || p.Retry <= at.Mono {
		t.Error("forgotten, though something is left")
	}
}

// Whose users a pod has is said of the pod, but what is so for all pods of a board is said of the node, once for each reason.
func TestUsersAreToldOf(t *testing.T) {
	h, _, _ := newPod(state.PodWaiting, waiting, waiting)
	h.Node = corev1.ObjectReference{Kind: "Node", Name: "board"}
	var said []string
	h.Events = func(_ time.Time, ref corev1.ObjectReference, typ, reason, message string) {
		said = append(said, fmt.Sprint(ref.Kind, " ", typ, " ", reason, ": ", message))
	}
	no := false
	for _, tc := range []struct {
		asks    *bool
		sandbox state.SandboxRecord
		want    string
	}{
		{nil, state.SandboxRecord{}, ""}, // mode: manual
		{&no, state.SandboxRecord{OwnUsers: true}, ""},
		{nil, state.SandboxRecord{OwnUsers: true}, "Pod Normal UserNamespace: The pod has users and groups of its own"},
		{nil, state.SandboxRecord{HostUsers: "hostPID"}, "Pod Normal UserNamespace: The pod has the machine's users and groups: hostPID"},
		{nil, state.SandboxRecord{HostUsers: "hostPID"}, "Pod Normal UserNamespace: The pod has the machine's users and groups: hostPID"},
		{nil, state.SandboxRecord{HostUsers: "old kernel", NoUsers: true}, "Node Normal UserNamespace: Pods have the machine's users and groups: old kernel"},
		{nil, state.SandboxRecord{HostUsers: "old kernel", NoUsers: true}, ""},
		{nil, state.SandboxRecord{HostUsers: "a closed folder", NoUsers: true}, "Node Normal UserNamespace: Pods have the machine's users and groups: a closed folder"},
	} {
		_, _, p := newPod(state.PodWaiting, waiting, waiting)
		p.Record.Object.Spec.HostUsers = tc.asks
		said = nil
		h.HandleOutcome(p, executor.SandboxEnsured{Sandbox: tc.sandbox}, at)
		if got := strings.Join(said, "; "); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.sandbox, got, tc.want)
		}
	}
}

// A postStart hook that fails ends its container; one whose container has ended meanwhile is of no interest.
func TestPostStartHook(t *testing.T) {
	for _, tc := range []struct {
		meanwhile state.ContainerState
		reason    string
	}{
		{postStart, state.EndReasonPostStart},
		{stopping, ""},
		{exited, ""},
	} {
		h, l, p := newPod(state.PodRunning, collected, postStart)
		c := p.Record.Container("c")
		h.HandleOutcome(p, executor.PostStartBegun{RunPostStart: plan.RunPostStart{Name: "c"}}, at)
		c.State = tc.meanwhile
		for _, e := range l.hooks {
			h.HandleHookEnded(p, e, at)
		}
		if len(l.hooks) != 1 || c.EndReason != tc.reason || c.State != tc.meanwhile {
			t.Errorf("%s meanwhile: %q, %s", tc.meanwhile, c.EndReason, c.State)
		}
	}
}

// What a probe comes to, by its kind and its thresholds.
func TestProbeResults(t *testing.T) {
	const grace = 7
	for _, tc := range []struct {
		name      string
		kind      prober.Kind
		runs      []state.ProbeRun
		ready     bool
		started   bool
		unhealthy bool
	}{
		{"not ready once", prober.Readiness, []state.ProbeRun{{Result: "Failure", Count: 1}}, true, false, false},
		{"not ready for good", prober.Readiness, []state.ProbeRun{{Result: "Failure", Count: 3}}, false, false, false},
		{"ready", prober.Readiness, []state.ProbeRun{{Result: "Success", Count: 1}}, true, false, false},
		{"alive", prober.Liveness, []state.ProbeRun{{Result: "Success", Count: 9}}, true, false, false},
		{"dying", prober.Liveness, []state.ProbeRun{{Result: "Failure", Count: 2}}, true, false, false},
		{"dead", prober.Liveness, []state.ProbeRun{{Result: "Failure", Count: 3}}, true, false, true},
		{"started", prober.Startup, []state.ProbeRun{{Result: "Success", Count: 1}}, true, true, false},
		{"never started", prober.Startup, []state.ProbeRun{{Result: "Failure", Count: 3}}, true, false, true},
	} {
		h, _, p := newPod(state.PodRunning, collected, running)
		p1 := &corev1.Probe{SuccessThreshold: 1, FailureThreshold: 3, TerminationGracePeriodSeconds: new(int64(grace))}
		s := p.Record.Spec("c")
		s.ReadinessProbe, s.LivenessProbe, s.StartupProbe = &corev1.Probe{SuccessThreshold: 1, FailureThreshold: 3}, p1, p1
		c := p.Record.Container("c")
		c.Ready, c.ProbeRuns = true, &state.ProbeRuns{}
		for _, run := range tc.runs {
			*tc.kind.RunIn(c.ProbeRuns) = run
			h.applyProbeResult(p, c, tc.kind, at)
		}
		if c.Ready != tc.ready || c.StartedOK != tc.started || c.Unhealthy != tc.unhealthy || tc.unhealthy && (c.UnhealthyGrace != grace*time.Second || !strings.HasSuffix(c.EndReason, "probe, will be restarted")) {
			t.Errorf("%s: ready %t, started %t, unhealthy %t for %v, %q", tc.name, c.Ready, c.StartedOK, c.Unhealthy, c.UnhealthyGrace, c.EndReason)
		}
	}
}

// What is about to be done is in the record before, and an illegal plan is refused without a trace.
func TestRecordIntent(t *testing.T) {
	h, l, p := newPod(state.PodRunning, collected, running)
	if err := h.RecordIntent(p, []plan.Action{plan.BeginStop{}, plan.StopContainer{Name: "c"}}, at); err != nil {
		t.Fatal(err)
	}
	if c := p.Record.Container("c"); p.Record.State != state.PodStopping || c.StopBy != at.After(30*time.Second) || fmt.Sprint(l.events) != "[Normal Killing spec.containers{c}]" {
		t.Errorf("%s, %v, %v", p.Record.State, c.StopBy, l.events)
	}
	if err := h.RecordIntent(p, []plan.Action{plan.BeginStop{}}, at); err == nil || p.Record.State != state.PodStopping {
		t.Errorf("a second end: %v, %s", err, p.Record.State)
	}
	if err := h.RecordIntent(p, []plan.Action{plan.BeginFinish{}}, at); err == nil || p.Record.State != state.PodStopping {
		t.Errorf("it finishes while it is removed: %v, %s", err, p.Record.State)
	}
	for _, s := range allStates {
		h, _, p := newPod(state.PodRunning, collected, s)
		c := p.Record.Container("c")
		err := h.RecordIntent(p, []plan.Action{plan.StartContainer{Name: "c", Attempt: 1}}, at)
		legal := s == waiting || s == collected || s == exited // of one that ended a collect comes first
		if (err == nil) != legal || legal && s != exited && c.State != starting || !legal && c.State != s {
			t.Errorf("a start in %s: %s, %v", s, c.State, err)
		}
	}
}

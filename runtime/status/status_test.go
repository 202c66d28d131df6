package status

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
)

func at(seconds int) state.Instant {
	return state.Instant{
		Wall: time.Date(2026, 11, 1, 0, 0, seconds, 0, time.UTC), Mono: state.BootTime(time.Duration(seconds) * time.Second),
	}
}

func running(change func(*state.Record)) *state.Record {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		RestartPolicy:  corev1.RestartPolicyAlways,
		InitContainers: []corev1.Container{{Name: "init"}, {Name: "side", RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "main", Image: "app"}},
	}}
	pod.Name, pod.Namespace = "web", "default"
	r := state.NewRecord("u", pod, at(10))
	ready, started := at(11), at(12)
	r.State, r.Initialized = state.PodRunning, true
	r.Sandbox = state.SandboxRecord{Ready: &ready, IP: "10.0.0.2", IP6: "fd00::2"}
	init, side, main := r.Containers[0], r.Containers[1], r.Containers[2]
	init.State, init.Done, init.Attempt = state.ContainerCollected, true, 0
	init.Ended = &state.Termination{ID: "u.init.0", Reason: "Completed", Started: started, Finished: at(13)}
	for _, c := range []*state.ContainerRecord{side, main} {
		c.State, c.Attempt, c.Started, c.Done = state.ContainerRunning, 0, &started, c == side
	}
	if change != nil {
		change(r)
	}
	return r
}

// shown is a status in one line: phase, each container's state, restarts and readiness, the true conditions.
func shown(pod *corev1.Pod) string {
	parts := []string{string(pod.Status.Phase)}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		is := "?"
		switch {
		case s.State.Running != nil:
			is = "running"
		case s.State.Waiting != nil:
			is = s.State.Waiting.Reason
		case s.State.Terminated != nil:
			is = fmt.Sprintf("%s(%d)", s.State.Terminated.Reason, s.State.Terminated.ExitCode)
		}
		if last := s.LastTerminationState.Terminated; last != nil {
			is += fmt.Sprintf(" last %s(%d)", last.Reason, last.ExitCode)
		}
		if s.Ready {
			is += " ready"
		}
		parts = append(parts, fmt.Sprintf("%s: %s #%d", s.Name, is, s.RestartCount))
	}
	var conditions []string
	for _, c := range pod.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			conditions = append(conditions, string(c.Type))
		}
	}
	return strings.Join(append(parts, strings.Join(conditions, " ")), "; ")
}

// TestBuild states what is shown of a pod as rows: what its record says, and what a client sees.
func TestBuild(t *testing.T) {
	const up = "PodReadyToStartContainers Initialized Ready ContainersReady PodScheduled"
	const notReady = "PodReadyToStartContainers Initialized PodScheduled"
	main := func(f func(*state.ContainerRecord)) func(*state.Record) {
		return func(r *state.Record) { f(r.Container("main")) }
	}
	failed := func(c *state.ContainerRecord) {
		c.Ended = &state.Termination{ID: "u.main.0", Code: 1, Reason: "Error", Started: at(12), Finished: at(20)}
	}
	for _, tc := range []struct {
		name   string
		change func(*state.Record)
		facts  Facts
		want   string
	}{
		{"all runs", nil, Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running ready #0; " + up},
		{"no sandbox yet", func(r *state.Record) {
			*r = *state.NewRecord("u", r.Object, at(10))
		}, Facts{}, "Pending; init: PodInitializing #0; side: PodInitializing #0; main: PodInitializing #0; PodScheduled"},
		{"the board does not fit", func(r *state.Record) {
			*r = *state.NewRecord("u", r.Object, at(10))
		}, Facts{Unfit: "0/1 nodes are available."}, "Pending; "},
		{"its image is missing", func(r *state.Record) {
			c := r.Container("main")
			c.State, c.Attempt, c.Started = state.ContainerWaiting, -1, nil
			c.Waiting = &state.Waiting{Reason: "ErrImageNeverPull"}
			r.Initialized = false
		}, Facts{}, "Pending; init: Completed(0) ready #0; side: running ready #0; main: ErrImageNeverPull #0; " + notReady},
		{"in back-off", main(func(c *state.ContainerRecord) {
			failed(c)
			c.State, c.NotBefore = state.ContainerCollected, at(40).Mono
		}), Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: running ready #0; main: CrashLoopBackOff last Error(1) #0; " + notReady},
		{"its next attempt is being made: what is shown is the one before", main(func(c *state.ContainerRecord) {
			failed(c)
			c.State, c.Attempt, c.Started = state.ContainerStarting, 1, nil
		}), Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: running ready #0; main: Error(1) #0; " + notReady},
		{"in the back-off before that", main(func(c *state.ContainerRecord) {
			failed(c)
			c.State, c.Attempt, c.Started, c.NotBefore = state.ContainerStarting, 1, nil, at(29).Mono
		}), Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: running ready #0; main: CrashLoopBackOff last Error(1) #0; " + notReady},
		{"its next attempt has a postStart hook that is not done", main(func(c *state.ContainerRecord) {
			failed(c)
			c.State, c.Attempt = state.ContainerPostStart, 1
		}), Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: running ready #0; main: Error(1) #0; " + notReady},
		{"all its containers begin anew", main(func(c *state.ContainerRecord) {
			failed(c)
			c.State, c.Attempt, c.Started, c.Anew = state.ContainerStarting, 1, nil, true
		}), Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: running ready #0; main: PodInitializing last Error(1) #0; " + notReady},
		{"it ends after a failed liveness probe", main(func(c *state.ContainerRecord) {
			c.State, c.Unhealthy, c.EndReason = state.ContainerStopping, true, "Container main failed liveness probe"
		}), Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running ready #0; " + up},
		{"it ends after a failed postStart hook", main(func(c *state.ContainerRecord) {
			c.State, c.EndReason = state.ContainerStopping, state.EndReasonPostStart
		}), Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running #0; " + notReady},
		{"its volumes do not mount", func(r *state.Record) {
			*r = *state.NewRecord("u", r.Object, at(10))
			ready := at(11)
			r.State, r.Sandbox.Ready, r.Object.Spec.Volumes = state.PodRunning, &ready, []corev1.Volume{{Name: "v"}}
		}, Facts{}, "Pending; init: PodInitializing #0; side: PodInitializing #0; main: PodInitializing #0; PodScheduled"},
		{"its second attempt runs", main(func(c *state.ContainerRecord) {
			failed(c)
			c.Attempt = 1
		}), Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running last Error(1) ready #1; " + up},
		{
			"its postStart hook is not done", main(func(c *state.ContainerRecord) { c.State = state.ContainerPostStart }),
			Facts{},
			"Pending; init: Completed(0) ready #0; side: running ready #0; main: PodInitializing #0; " + notReady,
		},
		{"its readiness probe has not succeeded", func(r *state.Record) {
			r.Object.Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
		}, Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running #0; " + notReady},
		{"a gate is shut", func(r *state.Record) {
			r.Object.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/ok"}}
		}, Facts{}, "Running; init: Completed(0) ready #0; side: running ready #0; main: running ready #0; PodReadyToStartContainers Initialized ContainersReady PodScheduled"},
		{
			"it ends with the board", func(r *state.Record) {
				r.State, r.Stop = state.PodStopping, &state.StopRecord{Since: at(30), Grace: time.Second}
			},
			Facts{Now: at(30), ShutDown: true},
			"Running; init: Completed(0) ready #0; side: running ready #0; main: running ready #0; " + up + " DisruptionTarget",
		},
		{"it has succeeded, but that is not on disk yet", func(r *state.Record) {
			r.State, r.Object.Spec.RestartPolicy = state.PodFinished, corev1.RestartPolicyNever
			r.Finish = &state.FinishRecord{}
			for _, c := range r.Containers[1:] {
				c.State, c.Ended = state.ContainerCollected, &state.Termination{Reason: "Completed", Finished: at(20)}
			}
		}, Facts{Now: at(30)}, "Running; init: Completed(0) ready #0; side: Completed(0) #0; main: Completed(0) #0; " + notReady},
		{"and when it is", func(r *state.Record) {
			r.State, r.Kept, r.Object.Spec.RestartPolicy = state.PodFinished, true, corev1.RestartPolicyNever
			r.Finish = &state.FinishRecord{}
			for _, c := range r.Containers[1:] {
				c.State, c.Ended = state.ContainerCollected, &state.Termination{Reason: "Completed", Finished: at(20)}
			}
		}, Facts{Now: at(30)}, "Succeeded; init: Completed(0) ready #0; side: Completed(0) #0; main: Completed(0) #0; " + notReady},
		{
			"its manifest has a bad edit", nil,
			Facts{Refused: &corev1.PodCondition{Type: "podd.dev/ManifestAccepted", Status: corev1.ConditionFalse}},
			"Running; init: Completed(0) ready #0; side: running ready #0; main: running ready #0; " + up,
		},
	} {
		rec := running(tc.change)
		if tc.facts.Now.Mono == 0 {
			tc.facts.Now = at(30)
		}
		if got := shown(Build(rec, tc.facts)); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

// TestBuildChangesNothing: the record is the loop's; the same record and facts give the same status.
func TestBuildChangesNothing(t *testing.T) {
	rec := running(nil)
	first := Build(rec, Facts{Now: at(30)})
	if len(rec.Conditions) != 0 {
		t.Errorf("the record has conditions: %v", rec.Conditions)
	}
	rec.NoteConditions(first.Status.Conditions, at(30))
	later := Build(rec, Facts{Now: at(90)})
	for i, c := range later.Status.Conditions {
		if c.LastTransitionTime != first.Status.Conditions[i].LastTransitionTime {
			t.Errorf("condition %s changed at %s, and nothing has changed since %s", c.Type, c.LastTransitionTime, first.Status.Conditions[i].LastTransitionTime)
		}
	}
}

func TestAddresses(t *testing.T) {
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::1")}
	pod := Build(running(nil), Facts{Now: at(30), HostIPs: ips})
	if got := fmt.Sprint(pod.Status.HostIP, pod.Status.HostIPs, pod.Status.PodIP, pod.Status.PodIPs); got != "192.0.2.1[{192.0.2.1} {2001:db8::1}]10.0.0.2[{10.0.0.2} {fd00::2}]" {
		t.Error(got)
	}
	pod = Build(running(func(r *state.Record) { r.Object.Spec.HostNetwork = true }), Facts{Now: at(30), HostIPs: ips})
	if pod.Status.PodIP != "192.0.2.1" || len(pod.Status.PodIPs) != 2 {
		t.Error(pod.Status.PodIP, pod.Status.PodIPs)
	}
}

// TestAddressesStay: a pod's addresses are told of until it is forgotten.
func TestAddressesStay(t *testing.T) {
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	for want, host := range map[string]bool{"10.0.0.2": false, "192.0.2.1": true} {
		rec := running(func(r *state.Record) { r.Object.Spec.HostNetwork = host })
		rec.Sandbox.MarkRemoved()
		for _, s := range []state.PodState{state.PodFinishing, state.PodFinished, state.PodStopping} {
			rec.State = s
			if pod := Build(rec, Facts{Now: at(30), HostIPs: ips}); pod.Status.PodIP != want {
				t.Errorf("%s without a sandbox: %q, want %s", s, pod.Status.PodIP, want)
			}
		}
	}
	rec := state.NewRecord("u", running(nil).Object, at(10))
	rec.Sandbox.MarkRemoved() // it never was there
	if pod := Build(rec, Facts{Now: at(30), HostIPs: ips}); pod.Status.PodIP != "" {
		t.Errorf("a pod without a sandbox has address %s", pod.Status.PodIP)
	}
}

// TestWhatRunsIsShown: an init container that runs has started; the image is that which the attempt was made of, whatever
// the manifest says now; a signal is told of by the exit code alone.
func TestWhatRunsIsShown(t *testing.T) {
	rec := running(func(r *state.Record) {
		init, main, started := r.Container("init"), r.Container("main"), at(12)
		init.State, init.Done, init.Ended, init.Started = state.ContainerRunning, false, nil, &started
		main.Attempt, main.Base, main.ImageID = 1, 1, "new"
		main.Ended = &state.Termination{Code: 137, Signal: 9, Finished: at(20)}
		main.UseImage(state.ImageRecord{Ref: "app:1", ID: "old"})
		r.Object.Spec.Containers[0].Image = "app:2"
	})
	status := Build(rec, Facts{Now: at(30)}).Status
	if s := status.InitContainerStatuses[0]; s.Started == nil || !*s.Started || s.Ready {
		t.Errorf("the init container: started %v, ready %t", s.Started, s.Ready)
	}
	s := status.ContainerStatuses[0]
	if s.Image != "app:1" || s.ImageID != "old" {
		t.Errorf("image %s, %s", s.Image, s.ImageID)
	}
	if last := s.LastTerminationState.Terminated; last == nil || last.ExitCode != 137 || last.Signal != 0 {
		t.Errorf("last end %+v", last)
	}
	main := rec.Container("main")
	main.Attempt, main.State = 2, state.ContainerPostStart
	main.UseImage(state.ImageRecord{Ref: "app:2", ID: "new"})
	if s := Build(rec, Facts{Now: at(30)}).Status.ContainerStatuses[0]; s.Image != "app:1" || s.ImageID != "old" {
		t.Errorf("before the next attempt is there: image %s, %s", s.Image, s.ImageID)
	}
}

// TestTimeLeft: how long a back-off lasts is said when somebody asks.
func TestTimeLeft(t *testing.T) {
	rec := running(func(r *state.Record) {
		c := r.Container("main")
		c.State, c.NotBefore = state.ContainerCollected, at(40).Mono
		c.Ended = &state.Termination{Code: 1, Reason: "Error", Finished: at(20)}
	})
	ends := BackoffEnds(rec, at(30).Mono)
	pod := Build(rec, Facts{Now: at(30)})
	message := WithTimeLeft(pod, ends, at(33).Mono).Status.ContainerStatuses[0].State.Waiting.Message
	if !strings.HasPrefix(message, "back-off 20s restarting failed container=main pod=web_default(u)") || !strings.HasSuffix(message, ", 7s left") {
		t.Error(message)
	}
	if strings.Contains(pod.Status.ContainerStatuses[0].State.Waiting.Message, "left") {
		t.Error("what was published has changed")
	}
}

// Whose users a pod has is shown of one that leaves that to the node, once it has a sandbox.
func TestUsersAreShown(t *testing.T) {
	no := false
	for _, tc := range []struct {
		asks    *bool
		sandbox state.SandboxRecord
		want    string
	}{
		{nil, state.SandboxRecord{}, ""},
		{nil, state.SandboxRecord{OwnUsers: true}, ""}, // not made yet
		{nil, state.SandboxRecord{Ready: &state.Instant{}}, ""},
		{nil, state.SandboxRecord{Ready: &state.Instant{}, OwnUsers: true}, "its own"},
		{nil, state.SandboxRecord{Ready: &state.Instant{}, HostUsers: "hostPID"}, "the machine's: hostPID"},
		{&no, state.SandboxRecord{Ready: &state.Instant{}, OwnUsers: true}, ""},
	} {
		rec := state.NewRecord("u", &corev1.Pod{Spec: corev1.PodSpec{HostUsers: tc.asks}}, state.Instant{})
		rec.Sandbox = tc.sandbox
		if got := Build(rec, Facts{}).Annotations["podd.dev/user-namespace"]; got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.sandbox, got, tc.want)
		}
	}
}

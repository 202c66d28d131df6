package status

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/state"
)

// ends gives the main container, or all that are not init containers, an exit code.
func ends(code int, names ...string) func(*state.Record) {
	return func(r *state.Record) {
		for _, name := range names {
			c := r.Container(name)
			c.State, c.Ended, c.Reported = state.ContainerCollected, &state.Termination{Code: code, Finished: at(20)}, true
		}
	}
}

func all(changes ...func(*state.Record)) func(*state.Record) {
	return func(r *state.Record) {
		for _, change := range changes {
			change(r)
		}
	}
}

func policy(p corev1.RestartPolicy) func(*state.Record) {
	return func(r *state.Record) { r.Object.Spec.RestartPolicy = p }
}

func stopping(r *state.Record) {
	r.State, r.Stop = state.PodStopping, &state.StopRecord{Since: at(25), Grace: 10 * time.Second}
}

func finished(r *state.Record) {
	r.State, r.Kept, r.Finish = state.PodFinished, true, &state.FinishRecord{}
}

// The phase sums a pod up as a kubelet does: by its containers, its restart policy, and whether it ends.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase
func TestPhase(t *testing.T) {
	const onFailure, never = corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	initEnds := func(code int) func(*state.Record) {
		return func(r *state.Record) {
			r.Initialized = false
			c := r.Container("init")
			c.Done, c.Ended = code == 0, &state.Termination{Code: code, Finished: at(20)}
			for _, name := range []string{"side", "main"} {
				c := r.Container(name)
				c.State, c.Started, c.Attempt, c.Done = state.ContainerWaiting, nil, -1, false
			}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*state.Record)
		want   corev1.PodPhase
	}{
		{"all runs", nil, corev1.PodRunning},
		{"its main container has failed, Always", ends(1, "main"), corev1.PodRunning},
		{"its main container has succeeded, Always", ends(0, "main"), corev1.PodRunning},
		{"it has failed, OnFailure: it runs again", all(policy(onFailure), ends(1, "main", "side")), corev1.PodRunning},
		{"it has succeeded, and that is not on disk", all(policy(onFailure), ends(0, "main", "side")), corev1.PodRunning},
		{"it has succeeded, and that is on disk", all(policy(onFailure), ends(0, "main", "side"), finished), corev1.PodSucceeded},
		{"it has failed, Never", all(policy(never), ends(1, "main", "side"), finished), corev1.PodFailed},
		{"a sidecar has failed, which is nobody's failure", all(policy(never), ends(0, "main"), ends(137, "side"), finished), corev1.PodSucceeded},
		{"its sidecar runs on", all(policy(never), ends(0, "main")), corev1.PodRunning},
		{"its init container has failed, Always", initEnds(1), corev1.PodPending},
		{"its init container has failed, Never, not on disk", all(policy(never), initEnds(1)), corev1.PodPending},
		{"its init container has failed, Never", all(policy(never), initEnds(1), finished), corev1.PodFailed},
		{"its init container has come through", initEnds(0), corev1.PodPending},
		{"it is removed and runs", stopping, corev1.PodRunning},
		{"it is removed and has ended well", all(stopping, ends(0, "main", "side")), corev1.PodSucceeded},
		{"it is removed and has ended badly", all(stopping, ends(143, "main"), ends(0, "side")), corev1.PodFailed},
		{"it is removed while pending", all(initEnds(0), stopping), corev1.PodFailed},
		{"it is made to fail and runs", func(r *state.Record) { r.Finish = &state.FinishRecord{Failed: true} }, corev1.PodRunning},
		{"it is made to fail and has ended with 0", all(ends(0, "main", "side"), finished, func(r *state.Record) { r.Finish.Failed = true }), corev1.PodFailed},
	} {
		rec := running(tc.change)
		if got := Build(rec, Facts{Now: at(30)}).Status.Phase; got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// neverBegun: none of its containers has been tried.
func neverBegun(r *state.Record) {
	for _, c := range r.Containers {
		*c = state.ContainerRecord{Name: c.Name, Kind: c.Kind, State: state.ContainerWaiting, Attempt: -1}
	}
}

// Why a pod is as it is stands in its status once it has failed, and not before; one that was not admitted has no containers.
func TestReasons(t *testing.T) {
	finish := func(f state.FinishRecord) func(*state.Record) {
		return all(ends(0, "main", "side"), finished, func(r *state.Record) { r.Finish = &f })
	}
	for _, tc := range []struct {
		name                   string
		change                 func(*state.Record)
		facts                  Facts
		reason, message        string
		containers, disruption bool
		disruptionMessage      string
	}{
		{"it runs", nil, Facts{}, "", "", true, false, ""},
		{"overdue", finish(state.FinishRecord{Failed: true, Reason: "DeadlineExceeded", Message: "longer"}), Facts{}, "DeadlineExceeded", "longer", true, false, ""},
		{"overdue and ending", func(r *state.Record) { r.Finish = &state.FinishRecord{Failed: true, Reason: "DeadlineExceeded"} }, Facts{}, "", "", true, false, ""},
		{"evicted", finish(state.FinishRecord{Failed: true, Reason: ReasonEvicted, Message: "too much"}), Facts{}, ReasonEvicted, "too much", true, true, "too much"},
		{"not admitted", finish(state.FinishRecord{Failed: true, Reason: ReasonSysctlForbidden, Message: "no"}), Facts{}, ReasonSysctlForbidden, "no", false, false, ""},
		{"it ends with the board", stopping, Facts{ShutDown: true}, "Terminated", shutdownMessage, true, true, shutdownMessage},
		{"the end of the board was cancelled", all(stopping, func(r *state.Record) { r.Stop.ShutDown = true }), Facts{}, "Terminated", shutdownMessage, true, true, shutdownMessage},
		{"it is removed", stopping, Facts{}, "", "", true, false, ""},
		{"the board ends, its turn has not come", nil, Facts{ShutDown: true}, "", "", true, false, ""},
		{"it had succeeded when the board ended", all(ends(0, "main", "side"), finished, stopping), Facts{ShutDown: true}, "", "", true, true, shutdownMessage},
		{"it came before, and was begun", stopping, Facts{ShutDown: true, Late: true}, "Terminated", shutdownMessage, true, true, shutdownMessage},
		{"it came meanwhile", all(stopping, neverBegun), Facts{ShutDown: true, Late: true}, "NodeShutdown", "Pod was rejected: Pod was rejected as the node is shutting down.", false, false, ""},
		{"it had not been begun", all(stopping, neverBegun), Facts{ShutDown: true}, "Terminated", shutdownMessage, true, true, shutdownMessage},
		{"it came meanwhile, and was removed", all(stopping, neverBegun), Facts{Late: true}, "", "", true, false, ""},
		{"evicted through the API", all(stopping, func(r *state.Record) {
			r.Set = map[string]state.SetCondition{string(corev1.DisruptionTarget): {Status: corev1.ConditionTrue, Message: "by a drain"}}
		}), Facts{ShutDown: true}, "Terminated", shutdownMessage, true, true, "by a drain"},
	} {
		tc.facts.Now = at(30)
		pod := Build(running(tc.change), tc.facts)
		if pod.Status.Reason != tc.reason || pod.Status.Message != tc.message || (len(pod.Status.ContainerStatuses) > 0) != tc.containers {
			t.Errorf("%s: %q %q, %d containers", tc.name, pod.Status.Reason, pod.Status.Message, len(pod.Status.ContainerStatuses))
		}
		var found []string
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.DisruptionTarget {
				found = append(found, c.Message)
			}
		}
		if tc.disruption != (len(found) == 1) || tc.disruption && found[0] != tc.disruptionMessage {
			t.Errorf("%s: disrupted: %q", tc.name, found)
		}
	}
}

// A pod is Ready when its containers are and every gate is open; what keeps it is said in the API server's words.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
func TestReadinessGates(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  map[string]state.SetCondition
		want corev1.ConditionStatus
		says string
	}{
		{"nobody has opened it", nil, corev1.ConditionFalse, `corresponding condition of pod readiness gate "a.example/up" does not exist.`},
		{"shut", map[string]state.SetCondition{"a.example/up": {Status: corev1.ConditionFalse}}, corev1.ConditionFalse, `the status of pod readiness gate "a.example/up" is not "True", but False`},
		{"open", map[string]state.SetCondition{"a.example/up": {Status: corev1.ConditionTrue}}, corev1.ConditionTrue, ""},
		{"another is open", map[string]state.SetCondition{"a.example/down": {Status: corev1.ConditionTrue}}, corev1.ConditionFalse, "does not exist"},
	} {
		rec := running(func(r *state.Record) {
			r.Object.Spec.ReadinessGates, r.Set = []corev1.PodReadinessGate{{ConditionType: "a.example/up"}}, tc.set
		})
		for _, c := range Build(rec, Facts{Now: at(30)}).Status.Conditions {
			switch c.Type {
			case corev1.PodReady:
				if c.Status != tc.want || !strings.Contains(c.Message, tc.says) {
					t.Errorf("%s: %s %q", tc.name, c.Status, c.Message)
				}
			case corev1.ContainersReady:
				if c.Status != corev1.ConditionTrue {
					t.Errorf("%s: the containers are not ready", tc.name)
				}
			}
		}
	}
	unready := running(func(r *state.Record) {
		r.Object.Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
		r.Object.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "a.example/up"}}
	})
	for _, c := range Build(unready, Facts{Now: at(30)}).Status.Conditions {
		if c.Type == corev1.PodReady && (c.Reason != "ContainersNotReady" || c.Message != "containers with unready status: [main]") {
			t.Errorf("%s: %s", c.Reason, c.Message)
		}
	}
}

// A pod that is removed is shown with the end of its grace; one that only ends by itself is nobody's deletion.
func TestDeletionTimestamp(t *testing.T) {
	pod := Build(running(stopping), Facts{Now: at(30)})
	if pod.DeletionTimestamp == nil || !pod.DeletionTimestamp.Time.Equal(at(35).Wall) || *pod.DeletionGracePeriodSeconds != 10 {
		t.Errorf("%v, %v", pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds)
	}
	if pod := Build(running(func(r *state.Record) { r.Finish = &state.FinishRecord{} }), Facts{Now: at(30)}); pod.DeletionTimestamp != nil {
		t.Error("a pod that fails is deleted")
	}
}

// A pod that the board is not for is no pod of the board: no node, no addresses, no containers.
func TestUnscheduled(t *testing.T) {
	rec := state.NewRecord("u", running(nil).Object, at(10))
	pod := Build(rec, Facts{Now: at(30), NodeName: "board", Unfit: "0/1 nodes are available: 1 Insufficient cpu."})
	c := pod.Status.Conditions
	if pod.Spec.NodeName != "" || pod.Status.HostIP != "" || pod.Status.StartTime != nil || len(c) != 1 || c[0].Type != corev1.PodScheduled ||
		c[0].Status != corev1.ConditionFalse || c[0].Reason != "Unschedulable" || !strings.Contains(c[0].Message, "Insufficient cpu") {
		t.Errorf("%+v", pod.Status)
	}
	if pod := Build(rec, Facts{Now: at(30), NodeName: "board"}); pod.Spec.NodeName != "board" || pod.Status.StartTime == nil {
		t.Errorf("one that it is for: %q, %v", pod.Spec.NodeName, pod.Status.StartTime)
	}
}

// While limits are being changed a container shows those that it has still, and the pod says that they change, or why they cannot.
func TestResizeIsShown(t *testing.T) {
	limits := func(cpu string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse(cpu)}, Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}
	}
	rec := running(func(r *state.Record) {
		r.Object.Spec.Containers[0].Resources = limits("2")
		r.Resize = &state.ResizeRecord{Before: map[string]corev1.ResourceRequirements{"main": limits("1")}, Error: "memory is in use"}
	})
	pod := Build(rec, Facts{Now: at(30)})
	s := pod.Status.ContainerStatuses[0]
	if s.Resources.Limits.Cpu().String() != "1" || s.AllocatedResources.Cpu().String() != "2" {
		t.Errorf("it has %v, and is to have %v", s.Resources.Limits, s.AllocatedResources)
	}
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodResizeInProgress })
	if i < 0 || pod.Status.Conditions[i].Reason != corev1.PodReasonError || pod.Status.Conditions[i].Message != "memory is in use" {
		t.Errorf("%+v", pod.Status.Conditions)
	}
	if rec.MarkResized("main"); Build(rec, Facts{Now: at(30)}).Status.ContainerStatuses[0].Resources.Limits.Cpu().String() != "2" {
		t.Error("after it is done the limits of before are shown")
	}
}

// Devices that a container has are told of, also when one was pulled out; ephemeral containers are never ready.
func TestDevicesAndEphemeralContainers(t *testing.T) {
	rec := running(func(r *state.Record) {
		r.Devices = map[string]map[string][]string{"main": {"b.example/x": {"1"}, "a.example/x": {"0", "2"}}}
		r.AddEphemeral([]corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}}})
		c, started := r.Container("debug"), at(12)
		c.State, c.Attempt, c.Started = state.ContainerRunning, 0, &started
	})
	pod := Build(rec, Facts{Now: at(30), Plugged: func(_, id string) bool { return id != "2" }})
	var got []string
	for _, r := range pod.Status.ContainerStatuses[0].AllocatedResourcesStatus {
		for _, u := range r.Resources {
			got = append(got, string(r.Name)+"/"+string(u.ResourceID)+"="+string(u.Health))
		}
	}
	if want := "a.example/x/0=Healthy a.example/x/2=Unhealthy b.example/x/1=Healthy"; strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
	if e := pod.Status.EphemeralContainerStatuses; len(e) != 1 || e[0].Ready || e[0].State.Running == nil || len(pod.Spec.EphemeralContainers) != 1 {
		t.Errorf("%+v", e)
	}
	if len(pod.Status.ContainerStatuses) != 1 || pod.Status.Phase != corev1.PodRunning {
		t.Error("an ephemeral container counts as one of the pod's own")
	}
}

// What "read-only, all the way down" comes to on this kernel. KEP-3857
func TestRecursiveReadOnly(t *testing.T) {
	mode := func(m corev1.RecursiveReadOnlyMode) *corev1.RecursiveReadOnlyMode { return &m }
	for i, tc := range []struct {
		asked *corev1.RecursiveReadOnlyMode
		able  bool
		want  corev1.RecursiveReadOnlyMode
	}{
		{nil, true, corev1.RecursiveReadOnlyDisabled},
		{mode(corev1.RecursiveReadOnlyDisabled), true, corev1.RecursiveReadOnlyDisabled},
		{mode(corev1.RecursiveReadOnlyIfPossible), true, corev1.RecursiveReadOnlyEnabled},
		{mode(corev1.RecursiveReadOnlyIfPossible), false, corev1.RecursiveReadOnlyDisabled},
		{mode(corev1.RecursiveReadOnlyEnabled), true, corev1.RecursiveReadOnlyEnabled},
	} {
		if got := RecursiveReadOnly(&corev1.VolumeMount{ReadOnly: true, RecursiveReadOnly: tc.asked}, tc.able); got != tc.want {
			t.Errorf("%d: %s", i, got)
		}
	}
	rec := running(func(r *state.Record) {
		r.Object.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "rw", MountPath: "/rw"}, {Name: "ro", MountPath: "/ro", ReadOnly: true, RecursiveReadOnly: mode(corev1.RecursiveReadOnlyIfPossible)}}
	})
	m := Build(rec, Facts{Now: at(30), RecursiveReadOnly: true}).Status.ContainerStatuses[0].VolumeMounts
	if len(m) != 2 || m[0].RecursiveReadOnly != nil || m[1].RecursiveReadOnly == nil || *m[1].RecursiveReadOnly != corev1.RecursiveReadOnlyEnabled {
		t.Errorf("%+v", m)
	}
}

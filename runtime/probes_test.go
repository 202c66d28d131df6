package runtime

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/probe"
	"podd/runtime/lifecycle"
	"podd/runtime/prober"
	"podd/runtime/state"
	"podd/runtime/status"
)

// told keeps the events of a test.
type told []string

func (e *told) Record(_ time.Time, ref corev1.ObjectReference, typ, reason, message string) {
	*e = append(*e, fmt.Sprintf("%s %s %s: %s", ref.FieldPath, typ, reason, message))
}

func after(success, failure int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}},
		InitialDelaySeconds: 3600, PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: success, FailureThreshold: failure,
	}
}

// probedPod is a running pod with a probed container; nothing is asked, because an hour must pass first.
func probedPod(t *testing.T, spec corev1.Container, policy corev1.RestartPolicy) (*Runtime, *lifecycle.Pod, *told) {
	t.Helper()
	r := testRuntime(t)
	events := &told{}
	r.Events, r.HostIPs = events, func() ([]netip.Addr, error) { return nil, nil }
	spec.Name = "c"
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}, Spec: corev1.PodSpec{Containers: []corev1.Container{spec}, RestartPolicy: policy}}
	p := lifecycle.NewPod(state.NewRecord("u1", object, state.Now()))
	r.pods["u1"] = p
	now := state.Now()
	p.Record.State, p.Record.Sandbox.Ready = state.PodRunning, &now
	c := p.Record.Containers[0]
	c.State, c.Attempt, c.Started, c.PID = state.ContainerRunning, 0, &now, 4711
	r.publish(p, now)
	t.Cleanup(func() {
		c.State = state.ContainerCollected
		r.prober.Sync(&p.Probes, p.Record, state.Now())
	})
	return r, p, events
}

// scheduled are the probes of the container that are made.
func scheduled(p *lifecycle.Pod) string {
	var kinds []string
	for _, k := range p.Probes.Scheduled("c") {
		kinds = append(kinds, string(k))
	}
	return strings.Join(kinds, " ")
}

func (r *Runtime) say(p *lifecycle.Pod, k prober.Kind, result probe.Result, count int) {
	run := probe.Run{Result: result, Count: count}
	if result == probe.Warning {
		run.Result = probe.Success
	}
	r.receive(msgProbe{p.Probes.NewsOf("c", k, probe.Report{Result: result, Text: "text", Run: run})}, state.Now())
}

func TestStartupGatesTheOthers(t *testing.T) {
	r, p, events := probedPod(t, corev1.Container{StartupProbe: after(1, 2), LivenessProbe: after(1, 3), ReadinessProbe: after(2, 1)}, corev1.RestartPolicyAlways)
	c := p.Record.Containers[0]
	shown := func() string {
		s := r.shownStatus(p, c.Name)
		return fmt.Sprintf("%s | started %t ready %t", scheduled(p), *s.Started, s.Ready)
	}
	for _, step := range []struct {
		kind   prober.Kind
		result probe.Result
		count  int
		want   string
	}{
		{prober.Startup, probe.Failure, 1, "Startup | started false ready false"},
		{prober.Startup, probe.Success, 1, "Liveness Readiness | started true ready false"},
		{prober.Liveness, probe.Failure, 2, "Liveness Readiness | started true ready false"},
		{prober.Readiness, probe.Success, 1, "Liveness Readiness | started true ready false"},
		{prober.Readiness, probe.Success, 2, "Liveness Readiness | started true ready true"},
		{prober.Readiness, probe.Warning, 2, "Liveness Readiness | started true ready true"},
		{prober.Readiness, probe.Failure, 1, "Liveness Readiness | started true ready false"},
		{prober.Startup, probe.Failure, 2, "Liveness Readiness | started true ready false"}, // it is over
		{prober.Liveness, probe.Failure, 3, "Readiness | started true ready false"},
		{prober.Readiness, probe.Success, 2, "Readiness | started true ready true"}, // until it is gone
	} {
		r.say(p, step.kind, step.result, step.count)
		if got := shown(); got != step.want {
			t.Errorf("after %s %s %d: %s, want %s", step.kind, step.result, step.count, got, step.want)
		}
	}
	const at = "spec.containers{c} Warning "
	want := told{
		at + "Unhealthy: Startup probe failed: text", at + "Unhealthy: Liveness probe failed: text",
		at + "ProbeWarning: Readiness probe warning: text", at + "Unhealthy: Readiness probe failed: text", at + "Unhealthy: Liveness probe failed: text",
	}
	if !slices.Equal(*events, want) {
		t.Errorf("events %q, want %q", *events, want)
	}
	if !c.Unhealthy || c.EndReason != "Container c failed liveness probe, will be restarted" || c.UnhealthyGrace != 30*time.Second {
		t.Errorf("unhealthy %t, %q, grace %v", c.Unhealthy, c.EndReason, c.UnhealthyGrace)
	}
}

func TestFailedStartup(t *testing.T) {
	grace := int64(7)
	spec := corev1.Container{StartupProbe: after(1, 2)}
	spec.StartupProbe.TerminationGracePeriodSeconds = &grace
	r, p, _ := probedPod(t, spec, corev1.RestartPolicyNever)
	r.say(p, prober.Startup, probe.Failure, 2)
	c := p.Record.Containers[0]
	if !c.Unhealthy || c.EndReason != "Container c failed startup probe" || c.UnhealthyGrace != 7*time.Second {
		t.Errorf("unhealthy %t, %q, grace %v", c.Unhealthy, c.EndReason, c.UnhealthyGrace)
	}
}

// What is said of an attempt that is over is not taken for the next one's; neither are its results.
func TestProbeOfAnotherAttempt(t *testing.T) {
	r, p, events := probedPod(t, corev1.Container{LivenessProbe: after(1, 1), ReadinessProbe: after(1, 1)}, corev1.RestartPolicyAlways)
	c := p.Record.Containers[0]
	r.say(p, prober.Readiness, probe.Success, 1)
	old := p.Probes.NewsOf("c", prober.Liveness, probe.Report{Result: probe.Failure, Run: probe.Run{Result: probe.Failure, Count: 1}})
	for _, e := range []state.ContainerEvent{state.EventExit, state.EventCollect} {
		if err := c.Move(e); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(p, state.Now())
	if got := scheduled(p); got != "" {
		t.Errorf("an ended container is probed: %s", got)
	}
	if err := c.BeginStart(1); err != nil {
		t.Fatal(err)
	}
	now := state.Now()
	c.State, c.Started = state.ContainerRunning, &now
	r.publish(p, now)
	r.receive(msgProbe{old}, now)
	if c.Unhealthy || c.Ready || c.ProbeRuns != nil || len(*events) != 0 {
		t.Errorf("the new attempt has the old one's results: %+v, %q", c, *events)
	}
	if got := scheduled(p); got != "Liveness Readiness" {
		t.Errorf("scheduled: %s", got)
	}
}

// Of a pod that is being removed nobody asks whether it lives; it is ready for as long as it says so.
func TestProbesAtTheEnd(t *testing.T) {
	r, p, _ := probedPod(t, corev1.Container{LivenessProbe: after(1, 1), ReadinessProbe: after(1, 1)}, corev1.RestartPolicyAlways)
	r.say(p, prober.Readiness, probe.Success, 1)
	if err := p.Record.BeginStop(state.Now(), r.stopGrace(p), false); err != nil {
		t.Fatal(err)
	}
	r.publish(p, state.Now())
	s := r.shownStatus(p, p.Record.Containers[0].Name)
	if scheduled(p) != "Readiness" || !s.Ready {
		t.Errorf("scheduled: %q, ready %t", scheduled(p), s.Ready)
	}
	r.say(p, prober.Readiness, probe.Failure, 1)
	if s := r.shownStatus(p, p.Record.Containers[0].Name); s.Ready {
		t.Error("its probe says that it is not ready any more")
	}
}

// The next daemon reads from the record what this one has found, and goes on counting.
func TestProbesInTheRecord(t *testing.T) {
	r, p, _ := probedPod(t, corev1.Container{StartupProbe: after(1, 1), LivenessProbe: after(1, 3), ReadinessProbe: after(1, 1)}, corev1.RestartPolicyAlways)
	r.say(p, prober.Startup, probe.Success, 1)
	r.say(p, prober.Readiness, probe.Success, 1)
	r.say(p, prober.Liveness, probe.Failure, 2)
	if err := r.kernel.prepare(); err != nil {
		t.Fatal(err)
	}
	r.write(p)
	list, err := r.records.ReadAll()
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	rec := list[0]
	c := rec.Containers[0]
	if !c.StartedOK || !c.Ready {
		t.Errorf("started %t, ready %t", c.StartedOK, c.Ready)
	}
	if run := prober.RunOf(prober.Liveness.RunIn(c.ProbeRuns)); run != (probe.Run{Result: probe.Failure, Count: 2}) {
		t.Errorf("liveness goes on from %+v", run)
	}
}

// shownStatus is the status of a container as it would be published now.
func (r *Runtime) shownStatus(p *lifecycle.Pod, name string) corev1.ContainerStatus {
	shown := status.Build(p.Record, status.Facts{Now: state.Now()})
	for _, s := range shown.Status.ContainerStatuses {
		if s.Name == name {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

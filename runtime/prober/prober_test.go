package prober

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/probe"
	"podd/runtime/state"
)

func after(success, failure int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}},
		InitialDelaySeconds: 3600, PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: success, FailureThreshold: failure,
	}
}

func TestProbePlan(t *testing.T) {
	spec := corev1.Container{Name: "c", LivenessProbe: after(1, 3)}
	spec.LivenessProbe.InitialDelaySeconds = 15
	rec := &state.Record{UID: "u1"}
	c := &state.ContainerRecord{Name: "c", Started: &state.Instant{Mono: state.BootTime(100 * time.Second)}}
	for at, want := range map[time.Duration]time.Duration{100: 15, 110: 5, 115: 0, 500: 0} {
		plan := probePlan(rec, c, &spec, Liveness, state.Instant{Mono: state.BootTime(at * time.Second)})
		if plan.First != want*time.Second || plan.Period != 10*time.Second || plan.Timeout != time.Second || plan.Thresholds != (probe.Thresholds{Success: 1, Failure: 3}) {
			t.Errorf("at %d s: %+v", at, plan)
		}
	}
}

func TestNetTarget(t *testing.T) {
	pr := &Prober{Paths: state.Paths{Run: "/run/podd"}}
	pr.SetHostAddress("192.0.2.7")
	spec := &corev1.Container{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}
	inPod := &state.Record{UID: "u1", Object: &corev1.Pod{}, Sandbox: state.SandboxRecord{IP: "10.1.2.3"}}
	onHost := &state.Record{UID: "u2", Object: &corev1.Pod{Spec: corev1.PodSpec{HostNetwork: true}}}
	for _, tc := range []struct {
		rec  *state.Record
		host string
		port intstr.IntOrString
		want string
	}{
		{inPod, "", intstr.FromString("web"), pr.Paths.Namespaces("u1") + "/net 10.1.2.3:8080"},
		{inPod, "127.0.0.1", intstr.FromInt32(1), pr.Paths.Namespaces("u1") + "/net 127.0.0.1:1"},
		{onHost, "", intstr.FromInt32(80), " 192.0.2.7:80"},
		{inPod, "", intstr.FromString("none"), "port none not found"},
		{inPod, "", intstr.FromString("99"), pr.Paths.Namespaces("u1") + "/net 10.1.2.3:99"},
	} {
		at, err := pr.target(tc.rec, spec).at(tc.host, tc.port)
		got := at.Netns + " " + at.String()
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s %v: %s, want %s", tc.host, tc.port, got, tc.want)
		}
	}
}

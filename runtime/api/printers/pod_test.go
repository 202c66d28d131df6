package printers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The cells are what `kubectl get pods -o wide` of a cluster prints for such a pod.
func TestPodRow(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	containers := func(p *corev1.Pod, names ...string) {
		p.Spec.Containers = nil
		for _, n := range names {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: n})
		}
	}
	inits := func(p *corev1.Pod, names ...string) {
		p.Status.Phase = corev1.PodPending
		p.Status.Conditions = nil
		p.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("app", "PodInitializing")}
		for _, n := range names {
			p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: n})
		}
	}
	tests := []struct {
		name string
		edit func(p *corev1.Pod)
		want []any
	}{
		{"running", func(p *corev1.Pod) {}, []any{"x", "1/1", "Running", "0", "5m"}},
		{"not ready", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = false }, []any{"x", "0/1", "Running", "0", "5m"}},
		{"creating", func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{waiting("app", "ContainerCreating")}}
		}, []any{"x", "0/1", "ContainerCreating", "0", "5m"}},
		{"refused", func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodPending, Reason: "InvalidManifest"}
		}, []any{"x", "0/1", "InvalidManifest", "0", "5m"}},
		{"no age", func(p *corev1.Pod) { p.CreationTimestamp = metav1.Time{} }, []any{"x", "1/1", "Running", "0", "<unknown>"}},
		{"crash loop", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = restarted(waiting("app", "CrashLoopBackOff"), 3, 2*time.Minute)
		}, []any{"x", "0/1", "CrashLoopBackOff", "3 (2m ago)", "5m"}},
		{"restarted", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = restarted(running("app"), 1, 61*time.Second)
		}, []any{"x", "1/1", "Running", "1 (61s ago)", "5m"}},
		{"restarted at an unknown time", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].RestartCount = 2
		}, []any{"x", "1/1", "Running", "2", "5m"}},
		{"newest restart counts", func(p *corev1.Pod) {
			containers(p, "a", "b")
			p.Status.ContainerStatuses = []corev1.ContainerStatus{restarted(running("a"), 2, 30*time.Second), restarted(running("b"), 1, time.Hour)}
		}, []any{"x", "2/2", "Running", "3 (30s ago)", "5m"}},
		{"completed", func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodSucceeded
			p.Status.ContainerStatuses[0] = ended("app", 0, 0, "Completed")
		}, []any{"x", "0/1", "Completed", "0", "5m"}},
		{"failed", func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodFailed
			p.Status.ContainerStatuses[0] = ended("app", 1, 0, "Error")
		}, []any{"x", "0/1", "Error", "0", "5m"}},
		{"out of memory", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = ended("app", 137, 0, "OOMKilled")
		}, []any{"x", "0/1", "OOMKilled", "0", "5m"}},
		{"exit code", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = ended("app", 3, 0, "")
		}, []any{"x", "0/1", "ExitCode:3", "0", "5m"}},
		{"signal", func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0] = ended("app", 0, 9, "")
		}, []any{"x", "0/1", "Signal:9", "0", "5m"}},
		{"one completed, one ready", func(p *corev1.Pod) {
			containers(p, "a", "b")
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 0, 0, "Completed"), running("b")}
		}, []any{"x", "1/2", "Running", "0", "5m"}},
		{"one completed, pod not ready", func(p *corev1.Pod) {
			containers(p, "a", "b")
			p.Status.Conditions = nil
			p.Status.ContainerStatuses = []corev1.ContainerStatus{ended("a", 0, 0, "Completed"), running("b")}
		}, []any{"x", "1/2", "NotReady", "0", "5m"}},
		{"the first container speaks", func(p *corev1.Pod) {
			containers(p, "a", "b")
			p.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("a", "ErrImagePull"), ended("b", 1, 0, "Error")}
		}, []any{"x", "0/2", "ErrImagePull", "0", "5m"}},
		{"init begins", func(p *corev1.Pod) {
			inits(p, "i", "j")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{waiting("i", "PodInitializing"), waiting("j", "PodInitializing")}
		}, []any{"x", "0/1", "Init:0/2", "0", "5m"}},
		{"init runs", func(p *corev1.Pod) {
			inits(p, "i", "j")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{ended("i", 0, 0, "Completed"), running("j")}
		}, []any{"x", "0/1", "Init:1/2", "0", "5m"}},
		{"init fails", func(p *corev1.Pod) {
			inits(p, "i")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{ended("i", 1, 0, "Error")}
		}, []any{"x", "0/1", "Init:Error", "0", "5m"}},
		{"init exit code", func(p *corev1.Pod) {
			inits(p, "i")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{ended("i", 4, 0, "")}
		}, []any{"x", "0/1", "Init:ExitCode:4", "0", "5m"}},
		{"init signal", func(p *corev1.Pod) {
			inits(p, "i")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{ended("i", 1, 15, "")}
		}, []any{"x", "0/1", "Init:Signal:15", "0", "5m"}},
		{"init crash loop", func(p *corev1.Pod) {
			inits(p, "i")
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(waiting("i", "CrashLoopBackOff"), 2, time.Minute)}
		}, []any{"x", "0/1", "Init:CrashLoopBackOff", "2 (60s ago)", "5m"}},
		{"init restarts are forgotten", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i"}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(ended("i", 0, 0, "Completed"), 2, time.Minute)}
		}, []any{"x", "1/1", "Running", "0", "5m"}},
		{"sidecar", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "s", RestartPolicy: &always}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(running("s"), 1, time.Minute)}
		}, []any{"x", "2/2", "Running", "1 (60s ago)", "5m"}},
		{"sidecar starts", func(p *corev1.Pod) {
			inits(p, "s")
			p.Spec.InitContainers[0].RestartPolicy = &always
			s := running("s")
			s.Started = new(false)
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{s}
		}, []any{"x", "0/2", "Init:0/1", "0", "5m"}},
		{"sidecar crashes later", func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "s", RestartPolicy: &always}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(waiting("s", "CrashLoopBackOff"), 1, time.Minute)}
		}, []any{"x", "1/2", "Init:CrashLoopBackOff", "1 (60s ago)", "5m"}},
		{"terminating", func(p *corev1.Pod) {
			p.DeletionTimestamp = new(ago(time.Second))
		}, []any{"x", "1/1", "Terminating", "0", "5m"}},
		{"deleted after its end", func(p *corev1.Pod) {
			p.DeletionTimestamp = new(ago(time.Second))
			p.Status.Phase = corev1.PodSucceeded
			p.Status.ContainerStatuses[0] = ended("app", 0, 0, "Completed")
		}, []any{"x", "0/1", "Completed", "0", "5m"}},
		{"gated", func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Reason: corev1.PodReasonSchedulingGated}}}
		}, []any{"x", "0/1", "SchedulingGated", "0", "5m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := runningPod("x", tt.edit)
			if got := PodRow(p, clock()).Cells[:5]; !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestPodRowWide(t *testing.T) {
	p := runningPod("x")
	if got, want := fmt.Sprint(PodRow(p, clock()).Cells[5:]), "[10.88.0.2 board <none> <none>]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.Status.PodIPs, p.Spec.NodeName = nil, ""
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "Ready"}, {ConditionType: "other"}}
	if got, want := fmt.Sprint(PodRow(p, clock()).Cells[5:]), "[<none> <none> <none> 1/2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

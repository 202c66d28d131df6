package scheduler

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/node"
)

func pod(change func(s *corev1.PodSpec)) *corev1.PodSpec {
	s := &corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}
	if change != nil {
		change(s)
	}
	return s
}

func asks(cpu, memory string) *corev1.PodSpec {
	return pod(func(s *corev1.PodSpec) {
		s.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
	})
}

func onPort(ip, protocol string, port int32) *corev1.PodSpec {
	return pod(func(s *corev1.PodSpec) {
		s.Containers[0].Ports = []corev1.ContainerPort{{HostIP: ip, Protocol: corev1.Protocol(protocol), HostPort: port}}
	})
}

func tolerating(t ...corev1.Toleration) *corev1.PodSpec {
	return pod(func(s *corev1.PodSpec) { s.Tolerations = t })
}

// The sentences are kube-scheduler's.
//
// e2e: [sig-scheduling] SchedulerPredicates [Serial] :: validates that NodeSelector is respected if not matching
// e2e: [sig-scheduling] SchedulerPredicates [Serial] :: validates resource limits of pods that are allowed to run
func TestRefuse(t *testing.T) {
	board := func(change func(b *Board)) *Board {
		b := &Board{
			Name: "board", Labels: map[string]string{"kubernetes.io/hostname": "board"},
			Allocatable: corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi")},
		}
		if change != nil {
			change(b)
		}
		return b
	}
	cordoned := board(func(b *Board) { b.Unschedulable = true })
	tainted := board(func(b *Board) {
		b.Taints = []corev1.Taint{{Key: "for", Value: "lab", Effect: corev1.TaintEffectNoExecute}, {Key: "soft", Effect: corev1.TaintEffectPreferNoSchedule}}
	})
	full := board(func(b *Board) {
		b.Add(asks("1500m", "900Mi"))
		b.Add(onPort("", "", 80))
		b.Add(onPort("10.0.0.1", "UDP", 53))
	})
	over := board(func(b *Board) { b.Add(asks("3", "2Gi")) }) // pods of the folder take what they like
	const (
		unschedulable = "0/1 nodes are available: 1 node(s) were unschedulable."
		untolerated   = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
		noPorts       = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
	)
	for _, c := range []struct {
		name  string
		board *Board
		spec  *corev1.PodSpec
		want  string
	}{
		{"free", board(nil), asks("2", "1Gi"), ""},
		{"selector", board(nil), pod(func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": "ssd"} }), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."},
		{"cordoned", cordoned, pod(nil), unschedulable},
		{"cordoned, selector", cordoned, pod(func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"disk": "ssd"} }), unschedulable},
		{"cordoned, a daemon", cordoned, tolerating(corev1.Toleration{Key: node.Unschedulable().Key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}), ""},
		{"cordoned, tolerates all", cordoned, tolerating(corev1.Toleration{Operator: corev1.TolerationOpExists}), ""},
		{"cordoned, tolerates NoExecute", cordoned, tolerating(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}), unschedulable},
		{"tainted", tainted, pod(nil), untolerated},
		{"tainted, another value", tainted, tolerating(corev1.Toleration{Key: "for", Value: "field"}), untolerated},
		{"tainted, tolerated", tainted, tolerating(corev1.Toleration{Key: "for", Value: "lab"}), ""},
		{"port taken", full, onPort("", "TCP", 80), noPorts},
		{"port of one address taken by all", full, onPort("10.0.0.9", "TCP", 80), noPorts},
		{"port of another protocol", full, onPort("", "UDP", 80), ""},
		{"port of another address", full, onPort("10.0.0.2", "UDP", 53), ""},
		{"port of all addresses", full, onPort("::", "UDP", 53), noPorts},
		{"port of a sidecar", full, pod(func(s *corev1.PodSpec) {
			always := corev1.ContainerRestartPolicyAlways
			s.InitContainers = []corev1.Container{{RestartPolicy: &always, Ports: []corev1.ContainerPort{{HostPort: 80}}}}
		}), noPorts},
		{"port of an init container", full, pod(func(s *corev1.PodSpec) {
			s.InitContainers = []corev1.Container{{Ports: []corev1.ContainerPort{{HostPort: 80}}}}
		}), ""},
		{"cpu", full, asks("501m", "1Mi"), "0/1 nodes are available: 1 Insufficient cpu."},
		{"both", full, asks("1", "1Gi"), "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."},
		{"just fits", full, asks("500m", "124Mi"), ""},
		{"of the whole pod", full, pod(func(s *corev1.PodSpec) {
			s.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}
		}), "0/1 nodes are available: 1 Insufficient cpu."},
		{"asks for nothing", over, pod(nil), ""},
		{"huge pages", board(nil), pod(func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests = corev1.ResourceList{"hugepages-2Mi": resource.MustParse("2Mi")}
		}), "0/1 nodes are available: 1 Insufficient hugepages-2Mi."},
		{"with overhead", full, pod(func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("500m")}
			s.Overhead = corev1.ResourceList{"cpu": resource.MustParse("1m")}
		}), "0/1 nodes are available: 1 Insufficient cpu."},
		{"a device", board(nil), pod(func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests = corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}
		}), "0/1 nodes are available: 1 Insufficient example.com/gpu."},
	} {
		if got := c.board.Refuse(c.spec); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

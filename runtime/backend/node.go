package backend

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/node"
	"podd/runtime/state"
)

// SetUnschedulable lets the board take no new pods of controllers, until its next boot or not, or take them again.
func (b *Backend) SetUnschedulable(ctx context.Context, unschedulable, untilBoot bool) error {
	return b.Runtime.SetCordon(ctx, unschedulable, untilBoot)
}

// Node describes this board.
func (b *Backend) Node() *corev1.Node {
	now := state.Now()
	boot := metav1.NewTime(now.Wall.Add(-time.Duration(now.Mono)))
	n := &corev1.Node{}
	n.Name, n.UID, n.ResourceVersion, n.CreationTimestamp = b.Runtime.NodeName, node.UID, "1", boot
	n.Labels = b.Labels()
	b.Runtime.Cordon().Show(n)
	n.Status.Capacity = b.Runtime.Capacity()
	n.Status.Allocatable = node.Allocatable(n.Status.Capacity)
	n.Status.NodeInfo = node.Info(b.Version)
	n.Status.RuntimeHandlers = node.RuntimeHandlers(*b.Handlers.Load())
	heartbeat := metav1.NewTime(now.Wall)
	ready := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "PoddReady", Message: "podd runs pods",
		LastHeartbeatTime: heartbeat, LastTransitionTime: boot,
	}
	if since := b.Runtime.ShuttingDown(); !since.IsZero() {
		// The message is a kubelet's (pkg/kubelet/nodeshutdown).
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, "PoddNotReady", "node is shutting down"
		ready.LastTransitionTime = metav1.NewTime(since)
	}
	n.Status.Conditions = []corev1.NodeCondition{ready}
	if b.ConfigProblem != nil {
		n.Status.Conditions = append(n.Status.Conditions, node.False(api.ConfigAccepted, "ConfigRefused", b.ConfigProblem(), heartbeat, boot)...)
	}
	if b.Ailments != nil {
		n.Status.Conditions = append(n.Status.Conditions, node.False(api.BoardFit, "DoctorFinds", b.Ailments(), heartbeat, boot)...)
	}
	for _, c := range b.Runtime.Conditions() {
		n.Status.Conditions = append(n.Status.Conditions, c.List(heartbeat, boot)...)
	}
	if ips, err := b.Runtime.HostIPs(); err == nil {
		for _, ip := range ips {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
		}
	}
	n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: b.Runtime.NodeName})
	return n
}

package runtime

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/node"
	"podd/runtime/state"
)

// Node describes this board.
func (b *Backend) Node() *corev1.Node {
	now := state.Now()
	boot := metav1.NewTime(now.Wall.Add(-time.Duration(now.Mono)))
	n := &corev1.Node{}
	n.Name, n.UID, n.ResourceVersion, n.CreationTimestamp = b.NodeName, node.UID, "1", boot
	n.Labels = b.NodeLabels()
	n.Status.Capacity = node.Capacity(b.RootDir)
	n.Status.Allocatable = b.allocatable()
	n.Status.NodeInfo = node.Info(b.Version)
	n.Status.RuntimeHandlers = node.RuntimeHandlers()
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "PoddReady", Message: "podd runs pods",
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: boot,
	}}
	n.Status.Conditions = append(n.Status.Conditions, b.configCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.boardCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.networkCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.manifestsCondition(now, boot)...)
	n.Status.Conditions = append(n.Status.Conditions, b.storageCondition(now, boot)...)
	if ips, err := b.HostIPs(); err == nil {
		for _, ip := range ips {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
		}
	}
	n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeHostName, Address: b.NodeName})
	return n
}

// allocatable is what pods may have: all there is.
func (r *Runtime) allocatable() corev1.ResourceList { return node.Capacity(r.RootDir) }

// configCondition is there while podd does not run with its configuration file as it is.
func (b *Backend) configCondition(now state.Instant, since metav1.Time) []corev1.NodeCondition {
	if b.ConfigProblem == nil || b.ConfigProblem() == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: api.ConfigAccepted, Status: corev1.ConditionFalse, Reason: "ConfigRefused", Message: b.ConfigProblem(),
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: since,
	}}
}

// boardCondition is there while the board lacks something that podd needs, or would use.
func (b *Backend) boardCondition(now state.Instant, since metav1.Time) []corev1.NodeCondition {
	if b.Ailments == nil || b.Ailments() == "" {
		return nil
	}
	return []corev1.NodeCondition{{
		Type: api.BoardFit, Status: corev1.ConditionFalse, Reason: "DoctorFinds", Message: b.Ailments(),
		LastHeartbeatTime: metav1.NewTime(now.Wall), LastTransitionTime: since,
	}}
}

package networkpolicy

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"podd/netns"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// Network takes the policies of the pods.
type Network interface {
	SetPolicies(t netns.PolicyTable) error
}

// Syncer keeps the network's policies in line with those of the folder. It belongs to the loop.
type Syncer struct {
	Network     Network
	Objects     *objects.Desired
	DefaultDeny []string // Ingress, Egress: pods are isolated without any NetworkPolicy

	changed bool
	retry   state.BootTime // since boot; 0: none is due
}

// retryAfter is how long podd waits before it writes policies again that the kernel has refused.
const retryAfter = 5 * time.Second

// MarkChanged says that the pods, their labels or the policies may be others than the network knows.
func (s *Syncer) MarkChanged() { s.changed = true }

// Due says whether there is something to sync.
func (s *Syncer) Due(now state.BootTime) bool { return s.changed || s.retry != 0 && now >= s.retry }

// RetryAt is when to try again (since boot); 0: there is no need.
func (s *Syncer) RetryAt() state.BootTime { return s.retry }

// Sync tells the network what the policies come to for the pods of now. An error says that the kernel has refused them.
func (s *Syncer) Sync(pods []*corev1.Pod, now state.Instant) error {
	s.changed, s.retry = false, 0
	err := s.Network.SetPolicies(Build(s.policies(), newPolicyPeers(pods, s.namespaceLabels()), s.DefaultDeny))
	if err != nil {
		s.retry = now.After(retryAfter)
		return fmt.Errorf("they stay as they were, and podd tries again: %w", err)
	}
	return nil
}

// policies are those of the folder.
func (s *Syncer) policies() []*networkingv1.NetworkPolicy {
	var list []*networkingv1.NetworkPolicy
	for _, o := range s.Objects.List("NetworkPolicy") {
		list = append(list, o.Value.(*networkingv1.NetworkPolicy))
	}
	return list
}

// namespaceLabels are those of the namespaces that the folder declares.
func (s *Syncer) namespaceLabels() map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, o := range s.Objects.List("Namespace") {
		labels[o.Name] = o.Value.GetLabels()
	}
	return labels
}

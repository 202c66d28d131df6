package networkpolicy

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"podd/netns"
)

// policyPeers are whom policies can select or name.
type policyPeers struct {
	pods []*corev1.Pod
	// labels of namespaces; one that is not there has no more than its name's.
	labels map[string]map[string]string
}

// newPolicyPeers takes the pods of all namespaces that have a network of their own. Traffic of pods on the host's network
// is the node's.
func newPolicyPeers(pods []*corev1.Pod, labels map[string]map[string]string) *policyPeers {
	own := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p.Spec.HostNetwork })
	return &policyPeers{own, labels}
}

// of are the pods and networks that a rule names.
func (in *policyPeers) of(peers []networkingv1.NetworkPolicyPeer, namespace string) []netns.Peer {
	var out []netns.Peer
	for i := range peers {
		if b := peers[i].IPBlock; b != nil {
			out = append(out, ipBlock(b)...)
			continue
		}
		for _, pod := range in.pods {
			if in.selects(&peers[i], namespace, pod) {
				out = append(out, netns.Peer{ID: string(pod.UID)})
			}
		}
	}
	return out
}

// selects: without a namespaceSelector a peer is in the policy's own namespace; without a podSelector it is
// every pod of the namespaces.
func (in *policyPeers) selects(peer *networkingv1.NetworkPolicyPeer, namespace string, pod *corev1.Pod) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, in.labelsOf(pod.Namespace)) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

func (in *policyPeers) labelsOf(namespace string) map[string]string {
	if set, ok := in.labels[namespace]; ok {
		return set
	}
	return map[string]string{corev1.LabelMetadataName: namespace}
}

func ipBlock(b *networkingv1.IPBlock) []netns.Peer {
	net, err := netip.ParsePrefix(b.CIDR)
	if err != nil {
		return nil // validated
	}
	peer := netns.Peer{Net: net.Masked()}
	for _, e := range b.Except {
		if p, err := netip.ParsePrefix(e); err == nil {
			peer.Except = append(peer.Except, p.Masked())
		}
	}
	return []netns.Peer{peer}
}

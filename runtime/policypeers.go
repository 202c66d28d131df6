package runtime

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"podd/netns"
)

// peersOf are the pods and networks that a rule names.
func peersOf(peers []networkingv1.NetworkPolicyPeer, namespace string, pods []*corev1.Pod) []netns.Peer {
	var out []netns.Peer
	for i := range peers {
		if b := peers[i].IPBlock; b != nil {
			out = append(out, ipBlock(b)...)
			continue
		}
		for _, pod := range pods {
			if peerSelects(&peers[i], namespace, pod) {
				out = append(out, netns.Peer{ID: string(pod.UID)})
			}
		}
	}
	return out
}

// peerSelects: without a namespaceSelector a peer is in the policy's own namespace; without a podSelector it is
// every pod of the namespaces.
func peerSelects(peer *networkingv1.NetworkPolicyPeer, namespace string, pod *corev1.Pod) bool {
	if peer.NamespaceSelector == nil && pod.Namespace != namespace {
		return false
	}
	if peer.NamespaceSelector != nil && !selects(peer.NamespaceSelector, namespaceLabels(pod.Namespace)) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)
}

// namespaceLabels are those that every namespace has: a folder of manifests has no others.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
func namespaceLabels(name string) map[string]string {
	return map[string]string{corev1.LabelMetadataName: name}
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

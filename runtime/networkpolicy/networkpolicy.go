// Package networkpolicy works out from NetworkPolicy objects what each pod of the board may send and receive (Build, which
// is pure), and keeps the network in line with it (Syncer).
package networkpolicy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/netns"
)

// Build works out what each pod may do. A direction that a policy isolates is shut but for what the
// policies that select the pod allow together; deny isolates every pod.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
func Build(policies []*networkingv1.NetworkPolicy, in *policyPeers, deny []string) netns.PolicyTable {
	var table netns.PolicyTable
	for _, pod := range in.pods {
		p := netns.PodPolicy{ID: string(pod.UID)}
		if slices.Contains(deny, string(networkingv1.PolicyTypeIngress)) {
			p.Ingress = &[]netns.PolicyRule{}
		}
		if slices.Contains(deny, string(networkingv1.PolicyTypeEgress)) {
			p.Egress = &[]netns.PolicyRule{}
		}
		for _, policy := range policies {
			if policy.Namespace == pod.Namespace && selects(&policy.Spec.PodSelector, pod.Labels) {
				addPolicy(&p, policy, pod, in)
			}
		}
		if p.Ingress != nil || p.Egress != nil {
			table = append(table, p)
		}
	}
	return table
}

func addPolicy(p *netns.PodPolicy, policy *networkingv1.NetworkPolicy, pod *corev1.Pod, in *policyPeers) {
	if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
		if p.Ingress == nil {
			p.Ingress = &[]netns.PolicyRule{}
		}
		for i := range policy.Spec.Ingress {
			rule := &policy.Spec.Ingress[i]
			*p.Ingress = append(*p.Ingress, ingressRules(rule, policy.Namespace, pod, in)...)
		}
	}
	if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		if p.Egress == nil {
			p.Egress = &[]netns.PolicyRule{}
		}
		for i := range policy.Spec.Egress {
			rule := &policy.Spec.Egress[i]
			*p.Egress = append(*p.Egress, egressRules(rule, policy.Namespace, in)...)
		}
	}
}

// ingressRules resolves named ports in the pod that is connected to.
func ingressRules(rule *networkingv1.NetworkPolicyIngressRule, namespace string, pod *corev1.Pod, in *policyPeers) []netns.PolicyRule {
	ports := portRanges(rule.Ports, pod)
	if len(rule.Ports) > 0 && len(ports) == 0 {
		return nil
	}
	return []netns.PolicyRule{{Anyone: len(rule.From) == 0, Peers: in.of(rule.From, namespace), Ports: ports}}
}

// egressRules resolves named ports in each of the pods that may be connected to, one rule a pod.
func egressRules(rule *networkingv1.NetworkPolicyEgressRule, namespace string, in *policyPeers) []netns.PolicyRule {
	var rules []netns.PolicyRule
	numbered := portRanges(rule.Ports, nil)
	if len(rule.Ports) == 0 || len(numbered) > 0 {
		rules = append(rules, netns.PolicyRule{Anyone: len(rule.To) == 0, Peers: in.of(rule.To, namespace), Ports: numbered})
	}
	named := slices.DeleteFunc(slices.Clone(rule.Ports), func(p networkingv1.NetworkPolicyPort) bool { return !isNamed(p) })
	if len(named) == 0 {
		return rules
	}
	for _, pod := range in.pods {
		reached := len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool {
			return p.IPBlock == nil && in.selects(&p, namespace, pod)
		})
		if ports := portRanges(named, pod); reached && len(ports) > 0 {
			rules = append(rules, netns.PolicyRule{Peers: []netns.Peer{{ID: string(pod.UID)}}, Ports: ports})
		}
	}
	return rules
}

func isNamed(p networkingv1.NetworkPolicyPort) bool {
	return p.Port != nil && p.Port.Type == intstr.String
}

// portRanges are the ports by number. Names are those of the pod's containers; without a pod they are left out.
func portRanges(ports []networkingv1.NetworkPolicyPort, pod *corev1.Pod) []netns.PortRange {
	var ranges []netns.PortRange
	for _, p := range ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		r := netns.PortRange{Protocol: netns.ProtocolOf(string(protocol))}
		switch {
		case p.Port == nil:
			r.First, r.Last = 0, 65535
		case p.Port.Type == intstr.Int:
			r.First, r.Last = uint16(p.Port.IntVal), uint16(p.Port.IntVal)
			if p.EndPort != nil {
				r.Last = uint16(*p.EndPort)
			}
		default:
			number := namedPort(pod, p.Port.StrVal, protocol)
			if number == 0 {
				continue
			}
			r.First, r.Last = number, number
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// namedPort is 0 for a name that the pod does not have.
func namedPort(pod *corev1.Pod, name string, protocol corev1.Protocol) uint16 {
	if pod == nil {
		return 0
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for _, p := range list[i].Ports {
				if p.Name == name && p.Protocol == protocol {
					return uint16(p.ContainerPort)
				}
			}
		}
	}
	return 0
}

// selects applies a selector that has been validated.
func selects(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}

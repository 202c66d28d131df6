package kinds

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/validate"
)

func networkPolicyRules() *Rules {
	return &Rules{
		APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy", Namespaced: true,
		Blank:    func() Value { return &networkingv1.NetworkPolicy{} },
		Prepare:  func(v Value) { defaultNetworkPolicy(v.(*networkingv1.NetworkPolicy)) },
		Validate: func(v Value) field.ErrorList { return validateNetworkPolicy(v.(*networkingv1.NetworkPolicy)) },
	}
}

// defaultNetworkPolicy follows kubernetes pkg/apis/networking/v1, SetDefaults_NetworkPolicy.
func defaultNetworkPolicy(p *networkingv1.NetworkPolicy) {
	tcp := corev1.ProtocolTCP
	for _, rule := range p.Spec.Ingress {
		defaultPolicyPorts(rule.Ports, &tcp)
	}
	for _, rule := range p.Spec.Egress {
		defaultPolicyPorts(rule.Ports, &tcp)
	}
	if len(p.Spec.PolicyTypes) > 0 {
		return
	}
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(p.Spec.Egress) > 0 {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
}

func defaultPolicyPorts(ports []networkingv1.NetworkPolicyPort, protocol *corev1.Protocol) {
	for i := range ports {
		if ports[i].Protocol == nil {
			ports[i].Protocol = protocol
		}
	}
}

// validateNetworkPolicy follows kubernetes pkg/apis/networking/validation, ValidateNetworkPolicySpec.
func validateNetworkPolicy(p *networkingv1.NetworkPolicy) field.ErrorList {
	path := field.NewPath("spec")
	errs := validate.LabelSelector(&p.Spec.PodSelector, path.Child("podSelector"))
	for i, rule := range p.Spec.Ingress {
		at := path.Child("ingress").Index(i)
		errs = append(errs, validatePolicyPorts(rule.Ports, at.Child("ports"))...)
		errs = append(errs, validatePolicyPeers(rule.From, at.Child("from"))...)
	}
	for i, rule := range p.Spec.Egress {
		at := path.Child("egress").Index(i)
		errs = append(errs, validatePolicyPorts(rule.Ports, at.Child("ports"))...)
		errs = append(errs, validatePolicyPeers(rule.To, at.Child("to"))...)
	}
	at := path.Child("policyTypes")
	if len(p.Spec.PolicyTypes) > 2 {
		return append(errs, field.Invalid(at, p.Spec.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range p.Spec.PolicyTypes {
		if t != networkingv1.PolicyTypeIngress && t != networkingv1.PolicyTypeEgress {
			errs = append(errs, field.NotSupported(at.Index(i), t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}))
		}
	}
	return errs
}

func validatePolicyPorts(ports []networkingv1.NetworkPolicyPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range ports {
		at := path.Index(i)
		switch *p.Protocol {
		case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		default:
			errs = append(errs, field.NotSupported(at.Child("protocol"), *p.Protocol, []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}))
		}
		errs = append(errs, validatePolicyPort(p, at)...)
	}
	return errs
}

func validatePolicyPort(p networkingv1.NetworkPolicyPort, path *field.Path) field.ErrorList {
	end := path.Child("endPort")
	switch {
	case p.Port == nil && p.EndPort != nil:
		return field.ErrorList{field.Invalid(end, *p.EndPort, "may not be specified when `port` is not specified")}
	case p.Port == nil:
		return nil
	case p.Port.Type == intstr.String:
		var errs field.ErrorList
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(end, *p.EndPort, "may not be specified when `port` is non-numeric"))
		}
		return append(errs, validate.Invalid(path.Child("port"), p.Port.StrVal, validation.IsValidPortName(p.Port.StrVal))...)
	}
	errs := validate.Invalid(path.Child("port"), p.Port.IntVal, validation.IsValidPortNum(int(p.Port.IntVal)))
	if p.EndPort == nil {
		return errs
	}
	if *p.EndPort < p.Port.IntVal {
		errs = append(errs, field.Invalid(end, *p.EndPort, "must be greater than or equal to `port`"))
	}
	return append(errs, validate.Invalid(end, *p.EndPort, validation.IsValidPortNum(int(*p.EndPort)))...)
}

func validatePolicyPeers(peers []networkingv1.NetworkPolicyPeer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, p := range peers {
		at := path.Index(i)
		selected := p.PodSelector != nil || p.NamespaceSelector != nil
		if p.PodSelector != nil {
			errs = append(errs, validate.LabelSelector(p.PodSelector, at.Child("podSelector"))...)
		}
		if p.NamespaceSelector != nil {
			errs = append(errs, validate.LabelSelector(p.NamespaceSelector, at.Child("namespaceSelector"))...)
		}
		switch {
		case p.IPBlock == nil && !selected:
			errs = append(errs, field.Required(at, "must specify a peer"))
		case p.IPBlock != nil && selected:
			errs = append(errs, field.Forbidden(at, "may not specify both ipBlock and another peer"))
		case p.IPBlock != nil:
			errs = append(errs, validateIPBlock(p.IPBlock, at.Child("ipBlock"))...)
		}
	}
	return errs
}

func validateIPBlock(b *networkingv1.IPBlock, path *field.Path) field.ErrorList {
	const example = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
	if b.CIDR == "" {
		return field.ErrorList{field.Required(path.Child("cidr"), "")}
	}
	block, err := netip.ParsePrefix(b.CIDR)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("cidr"), b.CIDR, example)}
	}
	var errs field.ErrorList
	const hostBits = "must not have bits set beyond the prefix length"
	if block.Masked() != block {
		errs = append(errs, field.Invalid(path.Child("cidr"), b.CIDR, hostBits))
	}
	for i, text := range b.Except {
		hole, err := netip.ParsePrefix(text)
		at := path.Child("except").Index(i)
		switch {
		case err != nil:
			errs = append(errs, field.Invalid(at, text, example))
		case hole.Masked() != hole:
			errs = append(errs, field.Invalid(at, text, hostBits))
		case !block.Contains(hole.Addr()) || hole.Bits() <= block.Bits():
			errs = append(errs, field.Invalid(at, text, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}

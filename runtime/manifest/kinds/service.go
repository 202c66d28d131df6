package kinds

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func serviceRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "Service", Namespaced: true,
		Blank:   func() Value { return &corev1.Service{} },
		Name:    validation.IsDNS1123Label, // KEP-5311
		Prepare: func(v Value) { prepareService(v.(*corev1.Service)) },
		Validate: func(v Value) field.ErrorList {
			return validateService(&v.(*corev1.Service).Spec, field.NewPath("spec"))
		},
		Refused: func(v Value) field.ErrorList {
			return refusedOfService(&v.(*corev1.Service).Spec, field.NewPath("spec"))
		},
	}
}

// prepareService applies the defaults of kubernetes pkg/apis/core/v1, SetDefaults_Service.
func prepareService(s *corev1.Service) {
	s.Status = corev1.ServiceStatus{}
	spec := &s.Spec
	spec.Type = defaults.Or(spec.Type, corev1.ServiceTypeClusterIP)
	spec.SessionAffinity = defaults.Or(spec.SessionAffinity, corev1.ServiceAffinityNone)
	if spec.SessionAffinity == corev1.ServiceAffinityNone {
		spec.SessionAffinityConfig = nil
	} else if c := spec.SessionAffinityConfig; c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
		seconds := corev1.DefaultClientIPServiceAffinitySeconds
		spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: &seconds}}
	}
	for i := range spec.Ports {
		p := &spec.Ports[i]
		p.Protocol = defaults.Or(p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if spec.Type != corev1.ServiceTypeExternalName {
		defaults.Set(&spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	}
	if isExternal(spec) {
		spec.ExternalTrafficPolicy = defaults.Or(spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		defaults.Set(&spec.AllocateLoadBalancerNodePorts, true)
	}
	if spec.ClusterIP != "" && len(spec.ClusterIPs) == 0 {
		spec.ClusterIPs = []string{spec.ClusterIP}
	}
}

// isExternal says whether a Service is to be reached from outside.
func isExternal(spec *corev1.ServiceSpec) bool {
	return spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer ||
		spec.Type == corev1.ServiceTypeClusterIP && len(spec.ExternalIPs) > 0
}

// validateService follows kubernetes pkg/apis/core/validation, ValidateService.
func validateService(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	errs := validate.OneOf(path.Child("type"), spec.Type,
		corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort)
	errs = append(errs, validate.Labels(spec.Selector, path.Child("selector"))...)
	errs = append(errs, validate.OneOf(path.Child("sessionAffinity"), spec.SessionAffinity, corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone)...)
	if c := spec.SessionAffinityConfig; c != nil {
		if n := *c.ClientIP.TimeoutSeconds; n <= 0 || n > corev1.DefaultClientIPServiceAffinitySeconds*8 {
			errs = append(errs, field.Invalid(path.Child("sessionAffinityConfig", "clientIP", "timeoutSeconds"), n, "must be greater than 0 and less than 86400"))
		}
	}
	if d := spec.TrafficDistribution; d != nil {
		// On one node all of a Service's pods are as close as any.
		errs = append(errs, validate.OneOf(path.Child("trafficDistribution"), *d,
			corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)...)
	}
	errs = append(errs, validateBalanced(spec, path)...)
	if spec.Type == corev1.ServiceTypeExternalName {
		return append(errs, validateExternalName(spec, path)...)
	}
	errs = append(errs, validateClusterIPs(spec, path)...)
	errs = append(errs, validateServicePorts(spec, path.Child("ports"))...)
	errs = append(errs, validateTraffic(spec, path)...)
	return append(errs, validateExternalIPs(spec.ExternalIPs, path.Child("externalIPs"))...)
}

func validateExternalIPs(ips []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, ip := range ips {
		at := path.Index(i)
		if a, err := netip.ParseAddr(ip); err != nil {
			errs = append(errs, field.Invalid(at, ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
		} else {
			errs = append(errs, validateReachable(a, ip, at)...)
		}
	}
	return errs
}

// validateReachable refuses addresses that mean something of their own. kubernetes pkg/apis/core/validation, ValidateNonSpecialIP
func validateReachable(a netip.Addr, text string, path *field.Path) field.ErrorList {
	switch {
	case a.IsUnspecified():
		return field.ErrorList{field.Invalid(path, text, "may not be unspecified ("+text+")")}
	case a.IsLoopback():
		return field.ErrorList{field.Invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")}
	case a.IsLinkLocalUnicast():
		return field.ErrorList{field.Invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")}
	case a.IsLinkLocalMulticast():
		return field.ErrorList{field.Invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")}
	}
	return nil
}

// validateBalanced refuses what only a load balancer has.
func validateBalanced(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	const only = "may only be used when `type` is 'LoadBalancer'"
	if spec.Type == corev1.ServiceTypeLoadBalancer {
		if spec.LoadBalancerClass == nil {
			return nil
		}
		return validate.Invalid(path.Child("loadBalancerClass"), *spec.LoadBalancerClass, validation.IsQualifiedName(*spec.LoadBalancerClass))
	}
	var errs field.ErrorList
	if spec.LoadBalancerClass != nil {
		errs = append(errs, field.Forbidden(path.Child("loadBalancerClass"), only))
	}
	if spec.AllocateLoadBalancerNodePorts != nil {
		errs = append(errs, field.Forbidden(path.Child("allocateLoadBalancerNodePorts"), only))
	}
	if len(spec.LoadBalancerSourceRanges) > 0 {
		errs = append(errs, field.Forbidden(path.Child("loadBalancerSourceRanges"), only))
	}
	return errs
}

func validateExternalName(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("externalName")
	name := spec.ExternalName
	for len(name) > 0 && name[len(name)-1] == '.' {
		name = name[:len(name)-1]
	}
	if name == "" {
		errs = append(errs, field.Required(at, ""))
	} else {
		errs = append(errs, validate.Invalid(at, spec.ExternalName, validation.IsDNS1123Subdomain(name))...)
	}
	const not = "may not be set for ExternalName services"
	if len(spec.ClusterIPs) > 0 {
		errs = append(errs, field.Forbidden(path.Child("clusterIPs"), not))
	}
	if len(spec.IPFamilies) > 0 {
		errs = append(errs, field.Forbidden(path.Child("ipFamilies"), not))
	}
	if spec.IPFamilyPolicy != nil {
		errs = append(errs, field.Forbidden(path.Child("ipFamilyPolicy"), not))
	}
	errs = append(errs, validateTraffic(spec, path)...)
	errs = append(errs, validateExternalIPs(spec.ExternalIPs, path.Child("externalIPs"))...)
	for i := range spec.Ports {
		errs = append(errs, validateServicePort(&spec.Ports[i], len(spec.Ports) > 1, path.Child("ports").Index(i))...)
	}
	return errs
}

func validateClusterIPs(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("clusterIPs")
	switch {
	case len(spec.ClusterIPs) == 0:
	case spec.ClusterIP == "":
		errs = append(errs, field.Invalid(at, spec.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	case spec.ClusterIPs[0] != spec.ClusterIP:
		errs = append(errs, field.Invalid(at, spec.ClusterIPs, "first value must match `clusterIP`"))
	}
	if len(spec.ClusterIPs) > 2 {
		errs = append(errs, field.Invalid(at, spec.ClusterIPs, "may only hold up to 2 values"))
	}
	for i, ip := range spec.ClusterIPs {
		if ip == corev1.ClusterIPNone {
			if len(spec.ClusterIPs) > 1 {
				errs = append(errs, field.Invalid(at, spec.ClusterIPs, "'None' must be the first and only value"))
			}
			continue
		}
		errs = append(errs, validate.IP(ip, at.Index(i))...)
	}
	errs = append(errs, validateFamilies(spec, at)...)
	if spec.ClusterIP == corev1.ClusterIPNone && (spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer) {
		errs = append(errs, field.Invalid(at.Index(0), spec.ClusterIP, fmt.Sprintf("may not be set to 'None' for %s services", spec.Type)))
	}
	if p := spec.IPFamilyPolicy; p != nil {
		errs = append(errs, validate.OneOf(path.Child("ipFamilyPolicy"), *p, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack)...)
		if *p == corev1.IPFamilyPolicySingleStack && (len(spec.IPFamilies) > 1 || len(spec.ClusterIPs) > 1) {
			errs = append(errs, field.Invalid(path.Child("ipFamilyPolicy"), *p, "must be RequireDualStack or PreferDualStack when multiple `ipFamilies` are specified"))
		}
	}
	for i, f := range spec.IPFamilies {
		errs = append(errs, validate.OneOf(path.Child("ipFamilies").Index(i), f, corev1.IPv4Protocol, corev1.IPv6Protocol)...)
		if slices.Contains(spec.IPFamilies[:i], f) {
			errs = append(errs, field.Duplicate(path.Child("ipFamilies").Index(i), f))
		}
	}
	return errs
}

// validateFamilies compares valid addresses with the families that are asked for.
func validateFamilies(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	ips := make([]netip.Addr, 0, len(spec.ClusterIPs))
	for _, text := range spec.ClusterIPs {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil // None, or refused already
		}
		ips = append(ips, ip)
	}
	var errs field.ErrorList
	if len(ips) == 2 && ips[0].Is4() == ips[1].Is4() {
		errs = append(errs, field.Invalid(path, spec.ClusterIPs, "may specify no more than one IP for each IP family"))
	}
	for i, ip := range ips[:min(len(ips), len(spec.IPFamilies))] {
		if f := spec.IPFamilies[i]; f == corev1.IPv4Protocol && !ip.Is4() || f == corev1.IPv6Protocol && ip.Is4() {
			errs = append(errs, field.Invalid(path.Index(i), spec.ClusterIPs[i], fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%d]`", f, i)))
		}
	}
	return errs
}

// The range that node ports come from.
const firstNodePort, lastNodePort = 30000, 32767

func validateServicePorts(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	if len(spec.Ports) == 0 && spec.ClusterIP != corev1.ClusterIPNone {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	names, ports, nodePorts := validate.Seen{}, validate.Seen{}, validate.Seen{}
	for i := range spec.Ports {
		p, at := &spec.Ports[i], path.Index(i)
		errs = append(errs, validateServicePort(p, len(spec.Ports) > 1, at)...)
		if p.Name != "" && names.Add(p.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		}
		if ports.Add(fmt.Sprintf("%s/%d", p.Protocol, p.Port)) {
			errs = append(errs, field.Duplicate(at, fmt.Sprintf("%s/%d", p.Protocol, p.Port)))
		}
		if p.NodePort == 0 {
			continue
		}
		switch {
		case spec.Type == corev1.ServiceTypeClusterIP:
			errs = append(errs, field.Forbidden(at.Child("nodePort"), "may not be used when `type` is 'ClusterIP'"))
		case p.NodePort < firstNodePort || p.NodePort > lastNodePort:
			errs = append(errs, field.Invalid(at.Child("nodePort"), p.NodePort, fmt.Sprintf("provided port is not in the valid range. The range of valid ports is %d-%d", firstNodePort, lastNodePort)))
		case nodePorts.Add(fmt.Sprintf("%s/%d", p.Protocol, p.NodePort)):
			errs = append(errs, field.Duplicate(at.Child("nodePort"), p.NodePort))
		}
	}
	return errs
}

func validateServicePort(p *corev1.ServicePort, named bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if named && p.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), ""))
	} else if p.Name != "" {
		errs = append(errs, validate.Invalid(path.Child("name"), p.Name, validation.IsDNS1123Label(p.Name))...)
	}
	if p.AppProtocol != nil {
		errs = append(errs, validate.Invalid(path.Child("appProtocol"), *p.AppProtocol, validation.IsQualifiedName(*p.AppProtocol))...)
	}
	errs = append(errs, validate.Invalid(path.Child("port"), p.Port, validation.IsValidPortNum(int(p.Port)))...)
	errs = append(errs, validate.OneOf(path.Child("protocol"), p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
	if p.TargetPort.Type == intstr.Int {
		errs = append(errs, validate.Invalid(path.Child("targetPort"), p.TargetPort.IntValue(), validation.IsValidPortNum(p.TargetPort.IntValue()))...)
	} else {
		errs = append(errs, validate.Invalid(path.Child("targetPort"), p.TargetPort.StrVal, validation.IsValidPortName(p.TargetPort.StrVal))...)
	}
	return errs
}

func validateTraffic(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := spec.InternalTrafficPolicy; p != nil { // of an ExternalName it may be unset
		errs = validate.Supported(path.Child("internalTrafficPolicy"), *p, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	}
	if n := spec.HealthCheckNodePort; n != 0 {
		at := path.Child("healthCheckNodePort")
		switch {
		case spec.Type != corev1.ServiceTypeLoadBalancer || spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal:
			errs = append(errs, field.Invalid(at, n, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
		case n < firstNodePort || n > lastNodePort:
			errs = append(errs, field.Invalid(at, n, fmt.Sprintf("provided port is not in the valid range. The range of valid ports is %d-%d", firstNodePort, lastNodePort)))
		}
	}
	switch at := path.Child("externalTrafficPolicy"); {
	case isExternal(spec):
		errs = append(errs, validate.OneOf(at, spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)...)
	case spec.ExternalTrafficPolicy != "":
		errs = append(errs, field.Invalid(at, spec.ExternalTrafficPolicy, "may only be set for externally-accessible services"))
	}
	return errs
}

// refusedOfService lists what is for a cluster's load balancer.
func refusedOfService(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(spec.LoadBalancerSourceRanges) > 0 {
		errs = append(errs, field.Forbidden(path.Child("loadBalancerSourceRanges"), "podd limits sources for the whole node: set hostPortSources in its configuration, and remove the field"))
	}
	return errs
}

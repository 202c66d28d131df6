package kinds

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func endpointSliceRules() *Rules {
	return &Rules{
		APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice", Namespaced: true,
		Blank:    func() Value { return &discoveryv1.EndpointSlice{} },
		Prepare:  func(v Value) { prepareEndpointSlice(v.(*discoveryv1.EndpointSlice)) },
		Validate: func(v Value) field.ErrorList { return validateEndpointSlice(v.(*discoveryv1.EndpointSlice)) },
		Update: func(before, after Value) field.ErrorList {
			a, b := before.(*discoveryv1.EndpointSlice), after.(*discoveryv1.EndpointSlice)
			if a.AddressType != b.AddressType {
				return field.ErrorList{field.Invalid(field.NewPath("addressType"), b.AddressType, "field is immutable")}
			}
			return nil
		},
	}
}

func prepareEndpointSlice(s *discoveryv1.EndpointSlice) {
	for i := range s.Ports {
		defaults.Set(&s.Ports[i].Name, "")
		defaults.Set(&s.Ports[i].Protocol, corev1.ProtocolTCP)
	}
}

// What one slice may hold. kubernetes pkg/apis/discovery/validation
const maxSliceAddresses, maxSlicePorts, maxSliceEndpoints = 100, 20000, 1000

// validateEndpointSlice follows kubernetes pkg/apis/discovery/validation, ValidateEndpointSlice.
func validateEndpointSlice(s *discoveryv1.EndpointSlice) field.ErrorList {
	errs := validate.OneOf(field.NewPath("addressType"), s.AddressType, discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6)
	path := field.NewPath("endpoints")
	if len(s.Endpoints) > maxSliceEndpoints {
		errs = append(errs, field.TooMany(path, len(s.Endpoints), maxSliceEndpoints))
	}
	for i := range s.Endpoints {
		errs = append(errs, validateEndpoint(&s.Endpoints[i], s.AddressType, path.Index(i))...)
	}
	ports := field.NewPath("ports")
	if len(s.Ports) > maxSlicePorts {
		errs = append(errs, field.TooMany(ports, len(s.Ports), maxSlicePorts))
	}
	names := validate.Seen{}
	for i, p := range s.Ports {
		at := ports.Index(i)
		if *p.Name != "" {
			errs = append(errs, validate.Invalid(at.Child("name"), *p.Name, validation.IsDNS1123Label(*p.Name))...)
		}
		if names.Add(*p.Name) {
			errs = append(errs, field.Duplicate(at.Child("name"), *p.Name))
		}
		errs = append(errs, validate.OneOf(at.Child("protocol"), *p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
		if p.AppProtocol != nil {
			errs = append(errs, validate.Invalid(at.Child("appProtocol"), *p.AppProtocol, validation.IsQualifiedName(*p.AppProtocol))...)
		}
		if p.Port != nil { // the API server takes any number; nobody could connect to it
			errs = append(errs, validate.Invalid(at.Child("port"), *p.Port, validation.IsValidPortNum(int(*p.Port)))...)
		}
	}
	return errs
}

func validateEndpoint(e *discoveryv1.Endpoint, kind discoveryv1.AddressType, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("addresses")
	switch {
	case len(e.Addresses) == 0:
		errs = append(errs, field.Required(at, "must contain at least 1 address"))
	case len(e.Addresses) > maxSliceAddresses:
		errs = append(errs, field.TooMany(at, len(e.Addresses), maxSliceAddresses))
	}
	for i, text := range e.Addresses {
		ip, err := netip.ParseAddr(text)
		switch {
		case kind == discoveryv1.AddressTypeFQDN:
			errs = append(errs, validate.Invalid(at.Index(i), text, validation.IsDNS1123Subdomain(text))...)
		case kind == discoveryv1.AddressTypeIPv4 && (err != nil || !ip.Is4()):
			errs = append(errs, field.Invalid(at.Index(i), text, "must be a valid IPv4 address"))
		case kind == discoveryv1.AddressTypeIPv6 && (err != nil || !ip.Is6()):
			errs = append(errs, field.Invalid(at.Index(i), text, "must be a valid IPv6 address"))
		default:
			errs = append(errs, validateReachable(ip, text, at.Index(i))...)
		}
	}
	if e.NodeName != nil {
		errs = append(errs, validate.DNSSubdomain(*e.NodeName, path.Child("nodeName"))...)
	}
	if e.Hints != nil {
		errs = append(errs, validateHints(e.Hints, path.Child("hints"))...)
	}
	if e.Hostname != nil {
		errs = append(errs, validate.Invalid(path.Child("hostname"), *e.Hostname, validation.IsDNS1123Label(*e.Hostname))...)
	}
	return errs
}

// maxHints is how many zones, and how many nodes, an endpoint may be for.
const maxHints = 8

func validateHints(h *discoveryv1.EndpointHints, path *field.Path) field.ErrorList {
	at := path.Child("forZones")
	if len(h.ForZones) > maxHints {
		return field.ErrorList{field.TooMany(at, len(h.ForZones), maxHints)}
	}
	var errs field.ErrorList
	zones := validate.Seen{}
	for i, z := range h.ForZones {
		name := at.Index(i).Child("name")
		if zones.Add(z.Name) {
			errs = append(errs, field.Duplicate(name, z.Name))
		}
		errs = append(errs, validate.Invalid(name, z.Name, validation.IsValidLabelValue(z.Name))...)
	}
	at = path.Child("forNodes")
	if len(h.ForNodes) > maxHints {
		return append(errs, field.TooMany(at, len(h.ForNodes), maxHints))
	}
	nodes := validate.Seen{}
	for i, n := range h.ForNodes {
		name := at.Index(i).Child("name")
		if nodes.Add(n.Name) {
			errs = append(errs, field.Duplicate(name, n.Name))
		}
		errs = append(errs, validate.DNSSubdomain(n.Name, name)...)
	}
	return errs
}

package service

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxEndpoints of one slice, as Kubernetes' controller has it.
	maxEndpoints = 100
	// managedBy is that controller's name, by which others tell generated slices.
	managedBy = "endpointslice-controller.k8s.io"
)

// group are the endpoints that may share a slice: of one family, with the same ports.
type group struct {
	family discoveryv1.AddressType
	ports  string
}

// slicesOf shows a Service's endpoints as Kubernetes' controller would, under names that stay.
func slicesOf(s *corev1.Service, node string, endpoints []endpoint) []*discoveryv1.EndpointSlice {
	var out []*discoveryv1.EndpointSlice
	open := map[group]*discoveryv1.EndpointSlice{}
	for i := range endpoints {
		e := &endpoints[i]
		for _, ip := range e.addrs {
			g := group{discoveryv1.AddressTypeIPv4, fmt.Sprint(e.ports)}
			if ip.Is6() {
				g.family = discoveryv1.AddressTypeIPv6
			}
			slice := open[g]
			if slice == nil || len(slice.Endpoints) == maxEndpoints {
				slice = newSlice(s, g, len(out), e.ports)
				open[g] = slice
				out = append(out, slice)
			}
			slice.Endpoints = append(slice.Endpoints, discoveryEndpoint(e, ip.String(), node))
		}
	}
	return out
}

func discoveryEndpoint(e *endpoint, ip, node string) discoveryv1.Endpoint {
	out := discoveryv1.Endpoint{
		Addresses: []string{ip}, Conditions: e.conditions, NodeName: &node,
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: e.pod.Namespace, Name: e.pod.Name, UID: e.pod.UID},
	}
	if e.hostname != "" {
		out.Hostname = &e.hostname
	}
	return out
}

func newSlice(s *corev1.Service, g group, number int, ports []port) *discoveryv1.EndpointSlice {
	suffix := fmt.Sprintf("%05x", hash(fmt.Sprint(g, number))&0xfffff)
	yes := true
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Name + "-" + suffix, Namespace: s.Namespace, GenerateName: s.Name + "-",
			UID: types.UID(string(s.UID) + "-" + suffix), CreationTimestamp: s.CreationTimestamp,
			Labels: map[string]string{discoveryv1.LabelServiceName: s.Name, discoveryv1.LabelManagedBy: managedBy},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Service", Name: s.Name, UID: s.UID, Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		AddressType: g.family,
	}
	if headless(s) {
		slice.Labels[corev1.IsHeadlessService] = ""
	}
	for _, p := range ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.name, Protocol: &p.protocol, Port: &p.number})
	}
	return slice
}

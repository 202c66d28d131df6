package service

//lint:file-ignore SA1019 Endpoints are deprecated, and what `get ep` means

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Endpoints are the older form of EndpointSlices.
type Endpoints = corev1.Endpoints

// endpointsObject is the older form of a Service's endpoints, of its first family only.
func endpointsObject(s *corev1.Service, endpoints []endpoint) *Endpoints {
	out := &Endpoints{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"},
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: s.Namespace, UID: s.UID, CreationTimestamp: s.CreationTimestamp, Labels: s.Labels},
	}
	for i := range endpoints {
		e := &endpoints[i]
		if len(e.addrs) == 0 || len(s.Spec.IPFamilies) == 0 || familyOf(e.addrs[0]) != s.Spec.IPFamilies[0] {
			continue
		}
		address := corev1.EndpointAddress{IP: e.addrs[0].String(), Hostname: e.hostname}
		if e.pod != nil {
			address.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: e.pod.Namespace, Name: e.pod.Name, UID: e.pod.UID}
		}
		subset := corev1.EndpointSubset{}
		if e.ready() {
			subset.Addresses = append(subset.Addresses, address)
		} else {
			subset.NotReadyAddresses = append(subset.NotReadyAddresses, address)
		}
		for _, p := range e.ports {
			subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: p.name, Protocol: p.protocol, Port: p.number})
		}
		out.Subsets = append(out.Subsets, subset)
	}
	return out
}

package service

import corev1 "k8s.io/api/core/v1"

// healthKey is where an Allocation has the port on which a Service's health is asked for.
const healthKey = "health"

// HealthPort is a TCP port of the board on which a load balancer asks whether a Service has endpoints here.
// https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip
type HealthPort struct {
	Port            uint16
	Namespace, Name string
	Local           int // ready endpoints on this board; terminating ones do not count
}

// wantsHealthPort says whether a load balancer has to know on which boards a Service is.
func wantsHealthPort(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

func (b *builder) addHealth(s *corev1.Service, endpoints []endpoint) {
	if s.Spec.HealthCheckNodePort == 0 {
		return
	}
	h := HealthPort{Port: uint16(s.Spec.HealthCheckNodePort), Namespace: s.Namespace, Name: s.Name}
	for i := range endpoints {
		if e := &endpoints[i]; e.ready() && !e.remote {
			h.Local++
		}
	}
	b.out.Health = append(b.out.Health, h)
}

// honourHealth takes the port that the manifest gives.
func (a *allocator) honourHealth(s *corev1.Service, al *Allocation) {
	port := uint16(s.Spec.HealthCheckNodePort)
	if port == 0 || !wantsHealthPort(s) {
		return
	}
	if a.takePort(corev1.ProtocolTCP, port, s) {
		al.NodePorts[healthKey] = port
	} else {
		a.problem(s, "PortAlreadyAllocated", "spec.healthCheckNodePort: Invalid value: %d: provided port is already allocated to Service %s", port, a.owner(corev1.ProtocolTCP, port))
	}
}

// keepHealth gives a Service the port that it had, and fillHealth one if it has none.
func (a *allocator) keepHealth(s *corev1.Service, al *Allocation, before Allocation) {
	if had, ok := before.NodePorts[healthKey]; ok && wantsHealthPort(s) && s.Spec.HealthCheckNodePort == 0 && a.takePort(corev1.ProtocolTCP, had, s) {
		al.NodePorts[healthKey] = had
	}
}

func (a *allocator) fillHealth(s *corev1.Service, al *Allocation) {
	if _, ok := al.NodePorts[healthKey]; ok || !wantsHealthPort(s) || s.Spec.HealthCheckNodePort != 0 {
		return
	}
	if port, ok := a.freePort(s, corev1.ProtocolTCP, healthKey); ok {
		al.NodePorts[healthKey] = port
	}
}

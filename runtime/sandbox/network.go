package sandbox

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/netns"
	"podd/runtime/state"
)

const annotationIngress = "kubernetes.io/ingress-bandwidth"

const annotationEgress = "kubernetes.io/egress-bandwidth"

// NetworkPod says to the network what the pod's manifest says.
func NetworkPod(paths state.Paths, rec *state.Record) netns.Pod {
	p := netns.Pod{
		ID: string(rec.UID), Name: rec.Object.Namespace + "/" + rec.Object.Name,
		NetNS:   paths.NetworkNamespace(rec.UID),
		Ingress: bandwidth(rec.Object.Annotations[annotationIngress]),
		Egress:  bandwidth(rec.Object.Annotations[annotationEgress]),
	}
	for _, list := range [][]corev1.Container{rec.Object.Spec.InitContainers, rec.Object.Spec.Containers} {
		for i := range list {
			p.Ports = append(p.Ports, hostPorts(&list[i])...)
		}
	}
	return p
}

func hostPorts(c *corev1.Container) []netns.HostPort {
	var ports []netns.HostPort
	for _, p := range c.Ports {
		if p.HostPort == 0 {
			continue
		}
		ip, err := netip.ParseAddr(p.HostIP)
		if p.HostIP != "" && err != nil {
			continue // of an earlier podd's manifest: no address is better than all of them
		}
		ports = append(ports, netns.HostPort{
			HostIP: ip.Unmap(), Protocol: netns.ProtocolOf(string(p.Protocol)),
			HostPort: uint16(p.HostPort), Container: uint16(p.ContainerPort),
		})
	}
	return ports
}

// bandwidth is in bits a second; the manifest was refused if it is not one.
func bandwidth(text string) uint64 {
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Value() < 0 {
		return 0
	}
	return uint64(q.Value())
}

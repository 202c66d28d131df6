package runtime

import (
	"net/netip"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/netns"
	"podd/runtime/state"
)

// Annotations that limit a pod's traffic (kubernetes, pkg/util/bandwidth).
const (
	annotationIngress = "kubernetes.io/ingress-bandwidth"
	annotationEgress  = "kubernetes.io/egress-bandwidth"
)

// networkPod says to the network what the pod's manifest says.
func (r *Runtime) networkPod(rec *state.Record) netns.Pod {
	p := netns.Pod{
		ID: string(rec.UID), Name: rec.Object.Namespace + "/" + rec.Object.Name,
		NetNS:   filepath.Join(r.namespaceDir(rec.UID), "net"),
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

// restoreNetwork tells the network of the pods that it has from an earlier daemon.
func (r *Runtime) restoreNetwork() {
	var pods []netns.Pod
	for _, p := range r.pods {
		if p.rec.Sandbox.Ready != nil && p.rec.State != state.PodFinished && !p.rec.Object.Spec.HostNetwork {
			pods = append(pods, r.networkPod(p.rec))
		}
	}
	r.NetworkTrouble("pods of before", r.Network.Restore(pods))
	r.NetworkTrouble("addresses", r.Network.Overlap())
}

// onePerFamily are the node's first addresses of each family, as the kubelet shows them: the list is sorted by
// family.
func onePerFamily(ips []netip.Addr) []corev1.HostIP {
	var out []corev1.HostIP
	for i, ip := range ips {
		if i == 0 || ip.Is4() != ips[i-1].Is4() {
			out = append(out, corev1.HostIP{IP: ip.String()})
		}
	}
	return out
}

// showAddresses publishes the machine's addresses of now in every pod's status, if they are others.
func (r *Runtime) showAddresses(now state.Instant) {
	before := r.hostIPs.get(r.HostIPs)
	r.hostIPs.forget()
	if slices.Equal(before, r.hostIPs.get(r.HostIPs)) {
		return
	}
	r.services.changed = true // a LoadBalancer is on them
	for _, p := range r.pods {
		if !p.busy { // else its outcome publishes it
			r.publish(p, now)
		}
	}
}

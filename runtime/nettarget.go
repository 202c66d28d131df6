package runtime

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/probe"
	"podd/runtime/state"
)

// netTarget is where probes and hooks reach a container over the network: from inside its pod's namespace.
type netTarget struct {
	netns string        // "" in the host's network
	host  func() string // the pod's address
	ports []corev1.ContainerPort
}

func (r *Runtime) netTarget(rec *state.Record, spec *corev1.Container) netTarget {
	t := netTarget{ports: spec.Ports, host: r.hostAddress}
	if !rec.Object.Spec.HostNetwork {
		ip := rec.Sandbox.IP
		t.netns, t.host = r.paths.NetworkNamespace(rec.UID), func() string { return ip }
	}
	return t
}

// at is an address of the pod, or of the host that is asked for.
func (t netTarget) at(host string, port intstr.IntOrString) (probe.Target, error) {
	number, err := t.port(port)
	if host == "" {
		host = t.host()
	}
	return probe.Target{Netns: t.netns, Host: host, Port: number}, err
}

// port looks a name up among the ports of the container. Source: kubernetes, pkg/probe, ResolveContainerPort.
func (t netTarget) port(port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, p := range t.ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	n, err := strconv.Atoi(port.StrVal)
	if err != nil {
		return 0, fmt.Errorf("port %s not found", port.StrVal)
	}
	return n, nil
}

func (t netTarget) request(a *corev1.HTTPGetAction, userAgent string) (probe.HTTP, error) {
	at, err := t.at(a.Host, a.Port)
	if err != nil {
		return probe.HTTP{}, err
	}
	h := probe.HTTP{Netns: t.netns, URL: probe.URLOf(string(a.Scheme), at.Host, at.Port, a.Path), UserAgent: userAgent, HTTP2: a.Protocol != nil && *a.Protocol == corev1.HTTPProtocolHTTP2}
	for _, header := range a.HTTPHeaders {
		h.Headers = append(h.Headers, probe.Header{Name: header.Name, Value: header.Value})
	}
	return h, nil
}

// connect is the tcpSocket hook: it has succeeded once the connection stands.
func (t netTarget) connect(ctx context.Context, a *corev1.TCPSocketAction) error {
	at, err := t.at(a.Host, a.Port)
	if err != nil {
		return err
	}
	return at.Connect(ctx)
}

// hookUserAgent is the kubelet's.
const hookUserAgent = "kube-lifecycle/1.37"

// get is the httpGet hook: it has succeeded once it is answered, whatever the answer is.
func (t netTarget) get(ctx context.Context, a *corev1.HTTPGetAction) error {
	request, err := t.request(a, hookUserAgent)
	if err != nil {
		return err
	}
	return request.Get(ctx)
}

// hostAddress is the board's own, at which pods in its network are reached; it may change at any time. A board that
// has none yet has its loopback.
func (r *Runtime) hostAddress() string {
	if ips := r.hostIPs.get(r.HostIPs); len(ips) > 0 {
		return ips[0].String()
	}
	return "127.0.0.1"
}

package prober

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/probe"
	"podd/runtime/state"
)

// target is where probes and hooks reach a container over the network: from inside its pod's namespace.
type target struct {
	netns string        // "" in the host's network
	host  func() string // the pod's address
	ports []corev1.ContainerPort
}

func (pr *Prober) target(rec *state.Record, spec *corev1.Container) target {
	t := target{ports: spec.Ports, host: pr.hostAddress}
	if !rec.Object.Spec.HostNetwork {
		ip := rec.Sandbox.IP
		t.netns, t.host = pr.Paths.NetworkNamespace(rec.UID), func() string { return ip }
	}
	return t
}

// at is an address of the pod, or of the host that is asked for.
func (t target) at(host string, port intstr.IntOrString) (probe.Target, error) {
	number, err := t.port(port)
	if host == "" {
		host = t.host()
	}
	return probe.Target{Netns: t.netns, Host: host, Port: number}, err
}

// port looks a name up among the ports of the container. Source: kubernetes, pkg/probe, ResolveContainerPort.
func (t target) port(port intstr.IntOrString) (int, error) {
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

func (t target) request(a *corev1.HTTPGetAction, userAgent string) (probe.HTTP, error) {
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
func (t target) connect(ctx context.Context, a *corev1.TCPSocketAction) error {
	at, err := t.at(a.Host, a.Port)
	if err != nil {
		return err
	}
	return at.Connect(ctx)
}

// hookUserAgent is the kubelet's.
const hookUserAgent = "kube-lifecycle/1.37"

// get is the httpGet hook: it has succeeded once it is answered, whatever the answer is.
func (t target) get(ctx context.Context, a *corev1.HTTPGetAction) error {
	request, err := t.request(a, hookUserAgent)
	if err != nil {
		return err
	}
	return request.Get(ctx)
}

// SetHostAddress says at which address of the board pods in its network are reached; "": it has none yet, and they are
// reached at its loopback.
func (pr *Prober) SetHostAddress(ip string) { pr.host.Store(&ip) }

func (pr *Prober) hostAddress() string {
	if ip := pr.host.Load(); ip != nil && *ip != "" {
		return *ip
	}
	return "127.0.0.1"
}

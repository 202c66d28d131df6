package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"podd/runtime/api"
)

// pass carries one connection to a port of a pod.
func (f *forward) pass(ctx context.Context, conn net.Conn, pod string, port int) error {
	daemon, err := new(net.Dialer).DialContext(ctx, "unix", f.socket)
	if err != nil {
		return f.explain(err)
	}
	defer daemon.Close()
	defer context.AfterFunc(ctx, func() { _, _ = daemon.Close(), conn.Close() })()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url(f.podPath(pod)+"/portforward", url.Values{"port": {strconv.Itoa(port)}}), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", api.ProtocolForward)
	if err := request.Write(daemon); err != nil {
		return f.explain(err)
	}
	early := bufio.NewReader(daemon)
	response, err := http.ReadResponse(early, request)
	if err != nil {
		return f.explain(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return statusError(response)
	}
	api.Splice(conn, daemon, early)
	return nil
}

// target finds the pod and its port that an argument means.
func (f *forward) target(ctx context.Context, arg, port string) (pod string, number int, err error) {
	kind, name, ok := strings.Cut(arg, "/")
	if ok {
		r, err := parseResource(kind)
		if err != nil {
			return "", 0, err
		}
		switch r.plural {
		case "services":
			return f.behind(ctx, name, port)
		case "pods":
			arg = name
		default:
			return "", 0, fmt.Errorf("%q is neither a pod nor a Service", arg)
		}
	}
	var p corev1.Pod
	if err := f.object(ctx, f.podPath(arg), nil, acceptObject, &p); err != nil {
		return "", 0, err
	}
	if n, err := strconv.Atoi(port); err == nil {
		return arg, n, nil
	}
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == port {
				return arg, int(cp.ContainerPort), nil
			}
		}
	}
	return "", 0, fmt.Errorf("pod %q has no port named %q", arg, port)
}

// behind finds a ready pod behind a Service, and where it serves the Service's port.
func (f *forward) behind(ctx context.Context, name, port string) (pod string, number int, err error) {
	namespace := "namespaces/" + url.PathEscape(f.namespace) + "/"
	var s corev1.Service
	if err := f.object(ctx, "/api/v1/"+namespace+"services/"+url.PathEscape(name), nil, acceptObject, &s); err != nil {
		return "", 0, err
	}
	var wanted *corev1.ServicePort
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; p.Name == port || strconv.Itoa(int(p.Port)) == port {
			wanted = p
		}
	}
	if wanted == nil {
		return "", 0, fmt.Errorf("the Service %q has no port %s", name, port)
	}
	var slices discoveryv1.EndpointSliceList
	q := url.Values{"labelSelector": {discoveryv1.LabelServiceName + "=" + name}}
	if err := f.object(ctx, "/apis/discovery.k8s.io/v1/"+namespace+"endpointslices", q, acceptObject, &slices); err != nil {
		return "", 0, err
	}
	for _, slice := range slices.Items {
		for _, p := range slice.Ports {
			if p.Name == nil || *p.Name != wanted.Name || p.Port == nil {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.TargetRef != nil && e.TargetRef.Kind == "Pod" && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
					return e.TargetRef.Name, int(*p.Port), nil
				}
			}
		}
	}
	return "", 0, fmt.Errorf("no ready pod is behind port %s of Service %q", port, name)
}

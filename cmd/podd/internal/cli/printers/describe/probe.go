package describe

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func (d *printer) probe(name string, p *corev1.Probe) {
	if p == nil {
		return
	}
	d.field(2, name, fmt.Sprintf("%s delay=%ds timeout=%ds period=%ds #success=%d #failure=%d", probeAction(&p.ProbeHandler),
		p.InitialDelaySeconds, p.TimeoutSeconds, p.PeriodSeconds, p.SuccessThreshold, p.FailureThreshold))
}

func probeAction(h *corev1.ProbeHandler) string {
	switch {
	case h.Exec != nil:
		return fmt.Sprintf("exec %v", h.Exec.Command)
	case h.HTTPGet != nil:
		u := url.URL{
			Scheme: strings.ToLower(string(h.HTTPGet.Scheme)),
			Host:   net.JoinHostPort(h.HTTPGet.Host, h.HTTPGet.Port.String()),
			Path:   h.HTTPGet.Path,
		}
		return "http-get " + u.String()
	case h.TCPSocket != nil:
		return "tcp-socket " + net.JoinHostPort(h.TCPSocket.Host, h.TCPSocket.Port.String())
	case h.GRPC != nil:
		service := ""
		if h.GRPC.Service != nil {
			service = *h.GRPC.Service
		}
		return fmt.Sprintf("grpc <pod>:%d %s", h.GRPC.Port, service)
	}
	return "unknown"
}

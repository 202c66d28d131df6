package daemon

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"podd/runtime/service"
)

// healthPorts answer load balancers, who ask boards whether a Service of externalTrafficPolicy Local has endpoints there.
type healthPorts struct {
	trouble func(error)

	mu   sync.Mutex
	open map[uint16]*healthPort
	said map[uint16]bool // cannot be opened
}

func (d *daemon) openHealthPorts() *healthPorts {
	return &healthPorts{open: map[uint16]*healthPort{}, said: map[uint16]bool{}, trouble: func(err error) {
		d.log.Error("load balancers do not hear whether a Service is here", "error", err)
	}}
}

// set opens the ports that are wanted and not there, and closes those that are not wanted any more.
func (h *healthPorts) set(wanted []service.HealthPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keep := map[uint16]bool{}
	for _, w := range wanted {
		keep[w.Port] = true
		if p := h.open[w.Port]; p != nil {
			p.now.Store(&w)
			continue
		}
		p, err := listenHealth(w)
		if err == nil {
			h.open[w.Port] = p
		} else if !h.said[w.Port] {
			h.trouble(fmt.Errorf("healthCheckNodePort of Service %s/%s: %w", w.Namespace, w.Name, err))
		}
		h.said[w.Port] = err != nil
	}
	for port, p := range h.open {
		if !keep[port] {
			_ = p.server.Close()
			delete(h.open, port)
		}
	}
}

// healthPort is one of them.
type healthPort struct {
	server *http.Server
	now    atomic.Pointer[service.HealthPort]
}

func listenHealth(w service.HealthPort) (*healthPort, error) {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(int(w.Port)))
	if err != nil {
		return nil, err
	}
	p := &healthPort{}
	p.now.Store(&w)
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

// ServeHTTP says 200 with endpoints and 503 without, and the rest as kube-proxy does.
func (p *healthPort) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := p.now.Load()
	body := struct {
		Service struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"service"`
		LocalEndpoints int  `json:"localEndpoints"`
		Healthy        bool `json:"serviceProxyHealthy"`
	}{LocalEndpoints: now.Local, Healthy: true}
	body.Service.Namespace, body.Service.Name = now.Namespace, now.Name
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(now.Local))
	if now.Local == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body)
}

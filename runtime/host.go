package runtime

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/beneath"
	"podd/internal/hostfile"
	"podd/netns/dns"
	"podd/runtime/api"
	"podd/runtime/lifecycle"
	"podd/runtime/node"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// resolverSync keeps the pods' resolv.conf in line with the host's.
type resolverSync struct {
	r *Runtime
	// hostResolver is what the host's resolv.conf said last.
	hostResolver atomic.Pointer[sandbox.Resolver]
	// resolvGuard is of a resolv.conf that never answers.
	resolvGuard hostfile.Guard
}

// Names is podd's own name server.
type Names interface {
	// Addrs are where pods reach it; none while another program has its port.
	Addrs() []netip.Addr
	// SetServers says who knows what podd does not.
	SetServers(servers []netip.AddrPort)
	// SetZone says what podd knows itself.
	SetZone(z *dns.Zone)
}

// nameServers are those that count now.
func (rs *resolverSync) nameServers() sandbox.NameServers {
	n := sandbox.NameServers{ClusterDomain: rs.r.ClusterDomain, Own: rs.r.Names.Addrs()}
	if host := rs.hostResolver.Load(); host != nil {
		n.Host = *host
	}
	return n
}

const (
	// maxResolvConf is more, in bytes, than any list of name servers has.
	maxResolvConf = 1 << 20
	// resolvPatience is how long that list may take to answer, once: the loop waits for it.
	resolvPatience = 2 * time.Second
)

// readResolver reads the host's resolv.conf and carries it into the pods.
func (rs *resolverSync) readResolver() {
	text, err := hostfile.Do(&rs.resolvGuard, "", func() string {
		data, _ := hostfile.Read(rs.r.ResolvConf(), maxResolvConf) // none names no servers
		return string(data)
	})
	if err != nil {
		err = fmt.Errorf("the list of name servers cannot be read, and pods keep those of before: %w", err)
	}
	rs.r.ReportNetwork("name servers", err)
	if err != nil {
		return
	}
	host := sandbox.ParseResolvConf(text)
	rs.hostResolver.Store(&host)
	n := rs.nameServers()
	rs.r.Names.SetServers(n.Upstream())
	for _, p := range rs.r.pods {
		if p.Record.Sandbox.Ready != nil && p.Record.State != state.PodFinished {
			rs.followResolver(p, n)
		}
	}
}

// followResolver writes a pod's resolv.conf anew, in the file that its containers have mounted. One that the
// pod has changed itself is left alone.
func (rs *resolverSync) followResolver(p *lifecycle.Pod, n sandbox.NameServers) {
	path := filepath.Join(rs.r.paths.Sandbox(p.Record.UID), "resolv.conf")
	resolv, _ := n.ReachableBy(p.Record.Object, p.Record.Sandbox.IP6).ForPod(p.Record.Object)
	text, have := resolv.String(), beneath.ReadShared(path)
	if text == have || p.Record.Sandbox.Resolv != sandbox.Digest(have) {
		return
	}
	if err := beneath.Overwrite(path, text); err != nil {
		rs.r.Log.Error("a pod goes on with the name servers of before", "pod", p.Name(), "error", err)
		return
	}
	rs.r.Log.Info("name servers changed", "pod", p.Name(), "servers", resolv.NameServers)
	p.Record.Sandbox.Resolv = sandbox.Digest(text)
	rs.r.save(p)
}

// recordResolverEvents records what the resolv.conf of a new sandbox lacks.
func (rs *resolverSync) recordResolverEvents(p *lifecycle.Pod, now state.Instant) {
	_, notes := rs.nameServers().ForPod(p.Record.Object)
	for _, n := range notes {
		rs.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, n.Reason, n.Message)
	}
}

// hostAddresses keeps the board's addresses for a while: every published status shows them. They belong to the loop.
type hostAddresses struct {
	read state.BootTime // since boot
	ips  []netip.Addr
}

// forget says that the addresses may be others now.
func (h *hostAddresses) forget() {
	h.ips = nil
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	now := state.Now().Mono
	if h.ips != nil && now < h.read.Add(fresh) {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}

// boardIPs are the board's addresses of now.
func (ns *networkSync) boardIPs() []netip.Addr {
	ips := ns.hostIPs.get(ns.r.HostIPs)
	first := ""
	if len(ips) > 0 {
		first = ips[0].String()
	}
	ns.r.prober.SetHostAddress(first)
	return ips
}

// conditions are the node's conditions that say what is wrong with what the pods need.
type conditions struct {
	network, storage *node.Reporter
	manifests        *node.Condition
}

func (r *Runtime) newConditions() conditions {
	reporter := func(subject string, c *node.Condition) *node.Reporter {
		return &node.Reporter{
			Condition: c, Subject: subject, Events: r.recordEvent, Log: r.Log,
			Node: func() corev1.ObjectReference { return node.Reference(r.NodeName) },
		}
	}
	c := conditions{
		network:   reporter("network", &node.Condition{Type: api.NetworkReady, Reason: "NetworkNotReady"}),
		storage:   reporter("storage", &node.Condition{Type: api.StorageReady, Reason: "StorageNotReady"}),
		manifests: &node.Condition{Type: api.ManifestsReadable, Reason: "ManifestFolder"},
	}
	c.storage.MendedReason, c.storage.MendedText = "StorageReady", "can be written to again"
	return c
}

// Conditions are the node's conditions that the runtime knows of. Any goroutine may ask for them.
func (r *Runtime) Conditions() []*node.Condition {
	return []*node.Condition{r.conditions.network.Condition, r.conditions.manifests, r.conditions.storage.Condition}
}

// ReportNetwork says what is wrong with a part of the machine's network, or with nil that it is right again. Any goroutine may
// call it.
func (r *Runtime) ReportNetwork(what string, err error) { r.conditions.network.Report(what, err) }

package runtime

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/beneath"
	"podd/internal/hostfile"
	"podd/netns/dns"
	"podd/runtime/lifecycle"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

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
func (r *Runtime) nameServers() sandbox.NameServers {
	n := sandbox.NameServers{ClusterDomain: r.ClusterDomain, Own: r.Names.Addrs()}
	if host := r.hostResolver.Load(); host != nil {
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
func (r *Runtime) readResolver() {
	text, err := hostfile.Do(&r.resolvGuard, "", func() string {
		data, _ := hostfile.Read(r.ResolvConf(), maxResolvConf) // none names no servers
		return string(data)
	})
	if err != nil {
		err = fmt.Errorf("the list of name servers cannot be read, and pods keep those of before: %w", err)
	}
	r.ReportNetwork("name servers", err)
	if err != nil {
		return
	}
	host := sandbox.ParseResolvConf(text)
	r.hostResolver.Store(&host)
	n := r.nameServers()
	r.Names.SetServers(n.Upstream())
	for _, p := range r.pods {
		if p.Record.Sandbox.Ready != nil && p.Record.State != state.PodFinished {
			r.followResolver(p, n)
		}
	}
}

// followResolver writes a pod's resolv.conf anew, in the file that its containers have mounted. One that the
// pod has changed itself is left alone.
func (r *Runtime) followResolver(p *lifecycle.Pod, n sandbox.NameServers) {
	path := filepath.Join(r.paths.Sandbox(p.Record.UID), "resolv.conf")
	resolv, _ := n.ReachableBy(p.Record.Object, p.Record.Sandbox.IP6).ForPod(p.Record.Object)
	text, have := resolv.String(), beneath.ReadShared(path)
	if text == have || p.Record.Sandbox.Resolv != sandbox.Digest(have) {
		return
	}
	if err := beneath.Overwrite(path, text); err != nil {
		r.Log.Error("a pod goes on with the name servers of before", "pod", p.Name(), "error", err)
		return
	}
	r.Log.Info("name servers changed", "pod", p.Name(), "servers", resolv.NameServers)
	p.Record.Sandbox.Resolv = sandbox.Digest(text)
	r.save(p)
}

// sayResolver tells of a new sandbox what its resolv.conf lacks.
func (r *Runtime) sayResolver(p *lifecycle.Pod, now state.Instant) {
	_, notes := r.nameServers().ForPod(p.Record.Object)
	for _, n := range notes {
		r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, n.Reason, n.Message)
	}
}

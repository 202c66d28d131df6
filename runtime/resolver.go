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

const (
	// maxResolvConf is more, in bytes, than any list of name servers has.
	maxResolvConf = 1 << 20
	// resolvPatience is how long that list may take to answer, once: the loop waits for it.
	resolvPatience = 2 * time.Second
)

// nameServers are those that count now.
func (n *network) nameServers() sandbox.NameServers {
	servers := sandbox.NameServers{ClusterDomain: n.config.ClusterDomain, Own: n.config.Names.Addrs()}
	if host := n.resolver; host != nil {
		servers.Host = *host
	}
	return servers
}

// readResolver reads the host's resolv.conf and carries it into the pods.
func (n *network) readResolver() {
	text, err := hostfile.Do(&n.resolverGuard, "", func() string {
		data, _ := hostfile.Read(n.config.ResolvConf(), maxResolvConf) // none names no servers
		return string(data)
	})
	if err != nil {
		err = fmt.Errorf("the list of name servers cannot be read, and pods keep those of before: %w", err)
	}
	n.report("name servers", err)
	if err != nil {
		return
	}
	host := sandbox.ParseResolvConf(text)
	n.resolver = &host
	servers := n.nameServers()
	n.config.Names.SetServers(servers.Upstream())
	for _, p := range n.pods.pods {
		if p.Record.Sandbox.Ready != nil && p.Record.State != state.PodFinished {
			n.followResolver(p, servers)
		}
	}
}

// followResolver writes a pod's resolv.conf anew, in the file that its containers have mounted. One that the
// pod has changed itself is left alone.
func (n *network) followResolver(p *lifecycle.Pod, servers sandbox.NameServers) {
	path := filepath.Join(n.paths.Sandbox(p.Record.UID), "resolv.conf")
	resolv, _ := servers.ReachableBy(p.Record.Object, p.Record.Sandbox.IP6).ForPod(p.Record.Object)
	text, have := resolv.String(), beneath.ReadShared(path)
	if text == have || p.Record.Sandbox.Resolv != sandbox.Digest(have) {
		return
	}
	if err := beneath.Overwrite(path, text); err != nil {
		n.config.Log.Error("a pod goes on with the name servers of before", "pod", p.Name(), "error", err)
		return
	}
	n.config.Log.Info("name servers changed", "pod", p.Name(), "servers", resolv.NameServers)
	p.Record.Sandbox.Resolv = sandbox.Digest(text)
	n.pods.save(p)
}

// reportResolver tells of a new sandbox what its resolv.conf lacks.
func (n *network) reportResolver(p *lifecycle.Pod, now state.Instant) {
	_, notes := n.nameServers().ForPod(p.Record.Object)
	for _, note := range notes {
		n.lifecycle.Event(p, "", now, corev1.EventTypeWarning, note.Reason, note.Message)
	}
}

package runtime

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"podd/dns"
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

// ResolverChanged hints that the host's resolv.conf may be another one.
func (r *Runtime) ResolverChanged() { r.inbox.put(msgResolver{}) }

// nameServers are those that count now.
func (r *Runtime) nameServers() nameServers {
	n := nameServers{domain: r.ClusterDomain, own: r.Names.Addrs()}
	if host := r.hostResolver.Load(); host != nil {
		n.host = *host
	}
	return n
}

// readResolver reads the host's resolv.conf and carries it into the pods.
func (r *Runtime) readResolver() {
	host := parseResolv(readText(r.ResolvConf()))
	r.hostResolver.Store(&host)
	n := r.nameServers()
	r.Names.SetServers(n.upstream())
	for _, p := range r.pods {
		if p.rec.Sandbox.Ready != nil && p.rec.State != state.PodFinished {
			r.followResolver(p, n)
		}
	}
}

// followResolver writes a pod's resolv.conf anew, in the file that its containers have mounted. One that the
// pod has changed itself is left alone.
func (r *Runtime) followResolver(p *pod, n nameServers) {
	path := filepath.Join(r.paths.Sandbox(p.rec.UID), "resolv.conf")
	resolv, _ := n.forPod(p.rec.Object)
	text, have := resolv.String(), readOwn(path)
	if text == have || p.rec.Sandbox.Resolv != digest(have) {
		return
	}
	if err := overwrite(path, text); err != nil {
		r.Log.Error("a pod goes on with the name servers of before", "pod", p.name(), "error", err)
		return
	}
	r.Log.Info("name servers changed", "pod", p.name(), "servers", resolv.nameservers)
	p.rec.Sandbox.Resolv = digest(text)
	r.save(p)
}

// overwrite replaces what a file says and keeps the file: a bind mount follows no rename.
func overwrite(path, text string) error {
	f, err := openAtOnce(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Truncate(int64(len(text))), f.Close())
}

// digest tells whether a file is still as podd wrote it.
func digest(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

// sayResolver tells of a new sandbox what its resolv.conf lacks.
func (r *Runtime) sayResolver(p *pod, now state.Instant) {
	_, notes := r.nameServers().forPod(p.rec.Object)
	for _, n := range notes {
		r.event(p, "", now, corev1.EventTypeWarning, n.reason, n.message)
	}
}

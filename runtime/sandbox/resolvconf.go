package sandbox

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Resolver is what a resolv.conf says.
type Resolver struct {
	NameServers, searches, options []string
}

// ParseResolvConf reads a resolv.conf; the last search line counts (man 5 resolv.conf).
func ParseResolvConf(text string) Resolver {
	var r Resolver
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			r.NameServers = append(r.NameServers, fields[1])
		case "search", "domain":
			r.searches = nil
			for _, s := range fields[1:] {
				if s != "." {
					s = strings.TrimSuffix(s, ".")
				}
				r.searches = append(r.searches, s)
			}
		case "options":
			r.options = append(r.options, fields[1:]...)
		}
	}
	return r
}

// ServersOf are those that a resolv.conf names.
func ServersOf(text string) []netip.Addr { return ParseResolvConf(text).servers() }

// servers leaves out what is no address.
func (r Resolver) servers() []netip.Addr {
	var list []netip.Addr
	for _, s := range r.NameServers {
		if ip, err := netip.ParseAddr(s); err == nil {
			list = append(list, ip)
		}
	}
	return list
}

// NameServers are where the pods' resolv.conf may point to.
type NameServers struct {
	Host          Resolver
	Own           []netip.Addr // of podd's own name server; none: it does not serve
	ClusterDomain string       // of the Services' names
}

// ReachableBy leaves out podd's own IPv6 address for a pod without IPv6.
func (n NameServers) ReachableBy(p *corev1.Pod, ip6 string) NameServers {
	if !p.Spec.HostNetwork && ip6 == "" {
		n.Own = slices.DeleteFunc(slices.Clone(n.Own), netip.Addr.Is6)
	}
	return n
}

// ForPod applies dnsPolicy and dnsConfig. Its notes are what could not be done as asked, each a reason and a
// sentence. https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy
func (n NameServers) ForPod(p *corev1.Pod) (Resolver, []Note) {
	var notes []Note
	var r Resolver
	switch policy := dnsPolicy(&p.Spec); {
	case policy == corev1.DNSNone:
	case policy == corev1.DNSClusterFirst && len(n.Own) > 0:
		r = n.cluster(p.Namespace)
	case policy == corev1.DNSClusterFirst:
		notes = append(notes, Note{"MissingClusterDNS", "podd's name server does not serve, because another program has port 53 of the pods' bridge. Falling back to \"Default\" policy."})
		r = n.reachable(p.Spec.HostNetwork)
	default:
		r = n.reachable(p.Spec.HostNetwork)
	}
	if p.Spec.DNSConfig != nil {
		r = r.merge(p.Spec.DNSConfig)
	}
	return r.limited(notes)
}

// Note is an event to be.
type Note struct{ Reason, Message string }

// dnsPolicy is the policy that acts: a pod in the host's network has the host's names unless it asks for others.
func dnsPolicy(spec *corev1.PodSpec) corev1.DNSPolicy {
	switch {
	case spec.DNSPolicy == corev1.DNSClusterFirstWithHostNet:
		return corev1.DNSClusterFirst
	case spec.DNSPolicy == corev1.DNSClusterFirst && spec.HostNetwork:
		return corev1.DNSDefault
	}
	return spec.DNSPolicy
}

// cluster leads everything to podd's own name server, which forwards what it does not know.
func (n NameServers) cluster(namespace string) Resolver {
	r := Resolver{options: []string{"ndots:5"}}
	for _, ip := range n.Own {
		r.NameServers = append(r.NameServers, ip.String())
	}
	svc := "svc." + n.ClusterDomain
	r.searches = appendNew([]string{namespace + "." + svc, svc, n.ClusterDomain}, n.Host.searches)
	return r
}

// reachable is the host's own, without the name servers that a pod cannot reach: those on the host's loopback,
// and link-local ones, whose interface the pod does not have. Where none is left podd's own forwards to them.
func (n NameServers) reachable(hostNetwork bool) Resolver {
	r := n.Host
	if hostNetwork {
		return r
	}
	r.NameServers = slices.DeleteFunc(slices.Clone(r.NameServers), func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err == nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
	})
	if len(r.NameServers) == 0 && len(n.Host.NameServers) > 0 {
		for _, ip := range n.Own {
			r.NameServers = append(r.NameServers, ip.String())
		}
	}
	return r
}

// Upstream are the host's name servers but podd's own, to which the host may have been pointed.
func (n NameServers) Upstream() []netip.AddrPort {
	const port = 53
	var list []netip.AddrPort
	for _, ip := range n.Host.servers() {
		if !slices.Contains(n.Own, ip) {
			list = append(list, netip.AddrPortFrom(ip, port))
		}
	}
	return list
}

// merge adds what the pod's dnsConfig says; its options win.
func (r Resolver) merge(c *corev1.PodDNSConfig) Resolver {
	out := Resolver{
		NameServers: appendNew(r.NameServers, c.Nameservers),
		searches:    appendNew(r.searches, c.Searches),
		options:     slices.Clone(r.options),
	}
	for _, o := range c.Options {
		out.options = slices.DeleteFunc(out.options, func(have string) bool {
			name, _, _ := strings.Cut(have, ":")
			return name == o.Name
		})
		text := o.Name
		if o.Value != nil && *o.Value != "" {
			text += ":" + *o.Value
		}
		out.options = append(out.options, text)
	}
	return out
}

// What resolvers of pods can be expected to read. https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#dns-search-domain-list-limits
const (
	maxNameservers = 3
	maxSearches    = 32
	maxSearchChars = 2048
	maxSearch      = 253 // glibc aborts over a longer one
)

// limited leaves out what is too much.
func (r Resolver) limited(notes []Note) (Resolver, []Note) {
	if len(r.NameServers) > maxNameservers {
		r.NameServers = r.NameServers[:maxNameservers]
		notes = append(notes, Note{"DNSConfigForming", "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: " + strings.Join(r.NameServers, " ")})
	}
	before := len(r.searches)
	r.searches = slices.DeleteFunc(slices.Clone(r.searches), func(s string) bool { return len(s) > maxSearch })
	r.searches = r.searches[:min(len(r.searches), maxSearches)]
	for len(strings.Join(r.searches, " ")) > maxSearchChars {
		r.searches = r.searches[:len(r.searches)-1]
	}
	if len(r.searches) < before {
		notes = append(notes, Note{"DNSConfigForming", "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: " + strings.Join(r.searches, " ")})
	}
	return r, notes
}

func appendNew(list, more []string) []string {
	out := slices.Clone(list)
	for _, s := range more {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (r Resolver) String() string {
	var b strings.Builder
	if len(r.searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.searches, " "))
	}
	for _, n := range r.NameServers {
		fmt.Fprintf(&b, "nameserver %s\n", n)
	}
	if len(r.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.options, " "))
	}
	return b.String()
}

// Digest tells whether a file is still as podd wrote it.
func Digest(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

package runtime

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// hostsFile is a pod's /etc/hosts.
// https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/
func hostsFile(spec *corev1.PodSpec, hostname string, ips ...corev1.PodIP) string {
	var b strings.Builder
	b.WriteString("# Kubernetes-managed hosts file.\n")
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	b.WriteString("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
	for _, ip := range ips {
		fmt.Fprintf(&b, "%s\t%s\n", ip.IP, hostname)
	}
	writeAliases(&b, spec.HostAliases)
	return b.String()
}

// hostNetworkHostsFile is the host's own file for a pod that shares its network.
func hostNetworkHostsFile(spec *corev1.PodSpec, host string) string {
	var b strings.Builder
	b.WriteString("# Kubernetes-managed hosts file (host network).\n")
	b.WriteString(host)
	if !strings.HasSuffix(host, "\n") {
		b.WriteString("\n")
	}
	writeAliases(&b, spec.HostAliases)
	return b.String()
}

func writeAliases(b *strings.Builder, aliases []corev1.HostAlias) {
	if len(aliases) == 0 {
		return
	}
	b.WriteString("\n# Entries added by HostAliases.\n")
	for _, a := range aliases {
		fmt.Fprintf(b, "%s\t%s\n", a.IP, strings.Join(a.Hostnames, "\t"))
	}
}

// resolver is what a resolv.conf says.
type resolver struct {
	nameservers, searches, options []string
}

// parseResolv reads a resolv.conf; the last search line counts (man 5 resolv.conf).
func parseResolv(text string) resolver {
	var r resolver
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			r.nameservers = append(r.nameservers, fields[1])
		case "search", "domain":
			r.searches = fields[1:]
		case "options":
			r.options = append(r.options, fields[1:]...)
		}
	}
	return r
}

// podResolver applies dnsPolicy and dnsConfig to the host's resolver. There is no cluster DNS, so that
// ClusterFirst means what the kubelet makes of it without one: the host's resolver.
func podResolver(spec *corev1.PodSpec, host resolver) resolver {
	if spec.DNSPolicy == corev1.DNSNone {
		host = resolver{}
	}
	if spec.DNSConfig == nil {
		return host
	}
	r := resolver{
		nameservers: appendNew(host.nameservers, spec.DNSConfig.Nameservers),
		searches:    appendNew(host.searches, spec.DNSConfig.Searches),
		options:     slices.Clone(host.options),
	}
	for _, o := range spec.DNSConfig.Options {
		r.options = slices.DeleteFunc(r.options, func(have string) bool {
			name, _, _ := strings.Cut(have, ":")
			return name == o.Name
		})
		text := o.Name
		if o.Value != nil && *o.Value != "" {
			text += ":" + *o.Value
		}
		r.options = append(r.options, text)
	}
	return r
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

func (r resolver) String() string {
	var b strings.Builder
	if len(r.searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.searches, " "))
	}
	for _, n := range r.nameservers {
		fmt.Fprintf(&b, "nameserver %s\n", n)
	}
	if len(r.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.options, " "))
	}
	return b.String()
}

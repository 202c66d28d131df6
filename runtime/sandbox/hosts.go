package sandbox

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// hostsFile is a pod's /etc/hosts.
// https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/
func hostsFile(spec *corev1.PodSpec, names podNames, ips ...corev1.PodIP) string {
	var b strings.Builder
	b.WriteString("# Kubernetes-managed hosts file.\n")
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	b.WriteString("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
	for _, ip := range ips {
		fmt.Fprintf(&b, "%s\t%s\n", ip.IP, names.line())
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

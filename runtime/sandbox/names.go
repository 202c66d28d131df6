package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
)

// errLongName says that the kernel cannot hold a pod's full name.
var errLongName = errors.New("FQDN is too long")

// maxNodename is what the kernel takes as a host name, in bytes. man 2 sethostname
const maxNodename = 64

// podNames are what a pod is called from within.
type podNames struct {
	short  string // the host name, as /etc/hosts and DNS have it
	domain string // "": there is none
	kernel string // what hostname(1) says
}

// namesOf works out a pod's names. KEP-1797, KEP-4762,
// https://kubernetes.io/docs/concepts/workloads/pods/pod-hostname/
func namesOf(p *corev1.Pod, clusterDomain string) (podNames, error) {
	if o := p.Spec.HostnameOverride; o != nil && *o != "" {
		return podNames{short: *o, kernel: *o}, nil
	}
	n := podNames{short: podHostname(p)}
	n.kernel = n.short
	if p.Spec.Subdomain != "" {
		n.domain = p.Spec.Subdomain + "." + p.Namespace + ".svc." + clusterDomain
	}
	if full := p.Spec.SetHostnameAsFQDN; full != nil && *full && n.domain != "" {
		n.kernel = n.short + "." + n.domain
	}
	if len(n.kernel) > maxNodename {
		return n, fmt.Errorf("%w: %s has %d characters, and the kernel takes %d; shorten hostname or subdomain, or remove setHostnameAsFQDN",
			errLongName, n.kernel, len(n.kernel), maxNodename)
	}
	return n, nil
}

// line is what stands behind an address in /etc/hosts.
func (n podNames) line() string {
	if n.domain == "" {
		return n.short
	}
	return n.short + "." + n.domain + "\t" + n.short
}

// podHostname is the hostname field or the pod's name, cut to what the kernel and DNS take.
func podHostname(p *corev1.Pod) string {
	const longest = 63
	name := cmp.Or(p.Spec.Hostname, p.Name)
	if len(name) <= longest {
		return name
	}
	name = name[:longest]
	for name[len(name)-1] == '-' || name[len(name)-1] == '.' {
		name = name[:len(name)-1]
	}
	return name
}

// hostnameOf is what hostname(1) says in the pod.
func (m *Manager) hostnameOf(p *corev1.Pod) string {
	if p.Spec.HostNetwork {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	n, _ := namesOf(p, m.ClusterDomain) // ensureSandbox has refused what is too long
	return n.kernel
}

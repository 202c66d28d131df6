// Package sysctl knows which sysctls belong to a namespace, and so to a pod, and which are safe.
package sysctl

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxSysctl is how long the name of a sysctl may be, and sysctlPattern what the API server says of its form.
const (
	maxSysctl     = 253
	sysctlPattern = `^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`
)

// The namespaces that have sysctls.
const (
	netNamespace = "net"
	ipcNamespace = "ipc"
)

// Validate judges the sysctls of a pod.
func Validate(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, s := range spec.SecurityContext.Sysctls {
		at := path.Index(i).Child("name")
		switch {
		case s.Name == "":
			errs = append(errs, field.Required(at, ""))
		case !isSysctl(s.Name):
			errs = append(errs, field.Invalid(at, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctl, sysctlPattern)))
		case seen[s.Name]:
			errs = append(errs, field.Duplicate(at, s.Name))
		default:
			seen[s.Name] = true
		}
		switch space := sysctlNamespace(s.Name); {
		case spec.HostNetwork && space == netNamespace:
			errs = append(errs, field.Invalid(at, s.Name, "may not be specified when 'hostNetwork' is true"))
		case spec.HostIPC && space == ipcNamespace:
			errs = append(errs, field.Invalid(at, s.Name, "may not be specified when 'hostIPC' is true"))
		}
	}
	return errs
}

// Refused lists the sysctls that no namespace of the pod has: setting them would change the node.
func Refused(sc *corev1.PodSecurityContext, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, s := range sc.Sysctls {
		if sysctlNamespace(s.Name) == "" {
			errs = append(errs, field.Forbidden(path.Child("sysctls").Index(i).Child("name"),
				s.Name+" belongs to the whole node, not to the pod's network or IPC namespace; set it on the node and remove it here"))
		}
	}
	return errs
}

// isSysctl matches sysctlPattern.
func isSysctl(name string) bool {
	alnum := func(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
	for segment := range strings.FieldsFuncSeq("."+name, func(r rune) bool { return r == '.' || r == '/' }) {
		if !alnum(segment[0]) || !alnum(segment[len(segment)-1]) ||
			strings.Trim(segment, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	// FieldsFunc passes over empty segments.
	return len(name) <= maxSysctl && !strings.Contains("."+strings.ReplaceAll(name, "/", ".")+".", "..")
}

// Name is a sysctl's name with dots between its parts. As sysctl(8): if the first separator is a slash, dots are part of
// the parts, and are slashes here.
func Name(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' {
		return strings.NewReplacer("/", ".", ".", "/").Replace(name)
	}
	return name
}

// sysctlNamespace returns the namespace that a sysctl belongs to, or "" for one of the whole node.
func sysctlNamespace(name string) string {
	name = Name(name)
	switch {
	case strings.HasPrefix(name, "net."):
		return netNamespace
	case name == "kernel.sem", strings.HasPrefix(name, "kernel.shm"), strings.HasPrefix(name, "kernel.msg"), strings.HasPrefix(name, "fs.mqueue."):
		return ipcNamespace
	default:
		return ""
	}
}

// safeSysctls are those that every pod may set: they change nothing for other pods or the node. The last one that the kernel
// has given to network namespaces, in Linux 4.15, is older than what podd needs.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
var safeSysctls = [...]string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}

// Forbidden says, in the kubelet's words, which sysctl of a pod is neither safe nor allowed by the node, "" if none is.
// allowed has names and prefixes (net.core.*) that CheckSysctlPattern has accepted.
func Forbidden(spec *corev1.PodSpec, allowed []string) string {
	if spec.SecurityContext == nil {
		return ""
	}
	for _, s := range spec.SecurityContext.Sysctls {
		name := Name(s.Name)
		if !slices.Contains(safeSysctls[:], name) && !slices.ContainsFunc(allowed, func(pattern string) bool { return matchesSysctl(pattern, name) }) {
			return fmt.Sprintf("forbidden sysctl: %q not allowlisted", name)
		}
	}
	return ""
}

func matchesSysctl(pattern, name string) bool {
	prefix, open := strings.CutSuffix(Name(pattern), "*")
	return name == prefix || open && strings.HasPrefix(name, prefix)
}

// CheckName checks the name of a sysctl that pods are to have.
func CheckName(name string) error {
	if strings.HasSuffix(name, "*") {
		return fmt.Errorf("%q must be the name of one sysctl", name)
	}
	return CheckPattern(name)
}

// IsHosts says that a sysctl is in a namespace that the pod has not of its own.
func IsHosts(name string, spec *corev1.PodSpec) bool {
	space := sysctlNamespace(name)
	return space == netNamespace && spec.HostNetwork || space == ipcNamespace && spec.HostIPC
}

// CheckPattern checks what a node allows: the name of a sysctl that namespaces have, or a prefix of such names with an
// asterisk after it.
func CheckPattern(pattern string) error {
	prefix, open := strings.CutSuffix(pattern, "*")
	whole := prefix
	if open {
		whole += "x"
	}
	switch {
	case whole == "", !isSysctl(whole):
		return fmt.Errorf("%q is neither the name of a sysctl, such as kernel.msgmax, nor a prefix of names, such as net.core.*", pattern)
	case sysctlNamespace(prefix) == "":
		return fmt.Errorf("%q is not known to belong to the network or IPC namespace of a pod: allowed can be net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, and what they contain", pattern)
	}
	return nil
}

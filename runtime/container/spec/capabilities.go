package spec

import (
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
)

// defaultCapabilities are those that containerd and Docker grant.
func defaultCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
}

// allCapabilities are those this kernel knows and the daemon itself may hand on: a board's bounding set
// can lack some, and asking for those would fail the container.
func allCapabilities() ([]string, error) {
	self, err := capability.NewPid2(0)
	if err != nil {
		return nil, err
	}
	if err := self.Load(); err != nil {
		return nil, err
	}
	known, err := capability.ListSupported()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range known {
		if self.Get(capability.BOUNDING, c) {
			names = append(names, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	return names, nil
}

// capabilities applies securityContext.capabilities to the default set. ALL, added or dropped, counts first,
// then what is added by name, then what is dropped by name, as CRI runtimes do.
func capabilities(sc *corev1.SecurityContext) ([]string, error) {
	set := defaultCapabilities()
	if sc == nil {
		return set, nil
	}
	if sc.Privileged != nil && *sc.Privileged {
		return allCapabilities()
	}
	if sc.Capabilities == nil {
		return set, nil
	}
	if has(sc.Capabilities.Add, "ALL") {
		all, err := allCapabilities()
		if err != nil {
			return nil, err
		}
		set = all
	}
	if has(sc.Capabilities.Drop, "ALL") {
		set = nil
	}
	for _, c := range sc.Capabilities.Add {
		if name := capabilityName(c); name != "CAP_ALL" && !slices.Contains(set, name) {
			set = append(set, name)
		}
	}
	return slices.DeleteFunc(set, func(name string) bool { return has(sc.Capabilities.Drop, name) }), nil
}

func has(list []corev1.Capability, name string) bool {
	return slices.ContainsFunc(list, func(c corev1.Capability) bool { return capabilityName(c) == capabilityName(corev1.Capability(name)) })
}

func capabilityName(c corev1.Capability) string {
	return "CAP_" + strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_")
}

// MayMount says whether a container may mount, within its user namespace at least.
func MayMount(sc *corev1.SecurityContext) bool {
	set, err := capabilities(sc)
	return err != nil || slices.Contains(set, "CAP_SYS_ADMIN")
}

// specCapabilities gives the set to a process. Nothing is inheritable or ambient, so a user other than root
// loses all of it at exec (man 7 capabilities).
func specCapabilities(set []string) *specs.LinuxCapabilities {
	return &specs.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}
}

package manifest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateCapabilities refuses names that Linux does not have: a misspelled one would silently not be dropped.
func validateCapabilities(c *corev1.Capabilities, path *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	var errs field.ErrorList
	for _, list := range []struct {
		name  string
		names []corev1.Capability
	}{{"add", c.Add}, {"drop", c.Drop}} {
		for i, name := range list.names {
			if !isCapability(string(name)) {
				errs = append(errs, field.Invalid(path.Child(list.name).Index(i), name,
					"Linux has no capability of this name; correct its spelling or remove it"))
			}
		}
	}
	return errs
}

// isCapability knows the names of linux/capability.h, with or without CAP_ and in any case, and ALL.
func isCapability(name string) bool {
	switch strings.TrimPrefix(strings.ToUpper(name), "CAP_") {
	case "ALL", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
		"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
		"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
		"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
		"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
		"CHECKPOINT_RESTORE":
		return true
	}
	return false
}

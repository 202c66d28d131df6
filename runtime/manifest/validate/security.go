package validate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/sysctl"
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

func validatePodSecurity(spec *corev1.PodSpec, specPath *field.Path) field.ErrorList {
	sc, path := spec.SecurityContext, specPath.Child("securityContext")
	if sc == nil {
		return nil
	}
	errs := validateID(sc.FSGroup, path.Child("fsGroup"), validation.IsValidGroupID)
	errs = append(errs, validateID(sc.RunAsUser, path.Child("runAsUser"), validation.IsValidUserID)...)
	errs = append(errs, validateID(sc.RunAsGroup, path.Child("runAsGroup"), validation.IsValidGroupID)...)
	for i := range sc.SupplementalGroups {
		errs = append(errs, validateID(&sc.SupplementalGroups[i], path.Child("supplementalGroups").Index(i), validation.IsValidGroupID)...)
	}
	if s := spec.ShareProcessNamespace; s != nil && *s && spec.HostPID {
		errs = append(errs, field.Invalid(specPath.Child("shareProcessNamespace"), *s, "ShareProcessNamespace and HostPID cannot both be enabled"))
	}
	errs = append(errs, sysctl.Validate(spec, path.Child("sysctls"))...)
	if p := sc.FSGroupChangePolicy; p != nil {
		errs = append(errs, Supported(path.Child("fsGroupChangePolicy"), *p, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)...)
	}
	errs = append(errs, validateSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
	errs = append(errs, validateAppArmor(sc.AppArmorProfile, path.Child("appArmorProfile"))...)
	if p := sc.SupplementalGroupsPolicy; p != nil {
		errs = append(errs, Supported(path.Child("supplementalGroupsPolicy"), *p, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)...)
	}
	if p := sc.SELinuxChangePolicy; p != nil {
		errs = append(errs, Supported(path.Child("seLinuxChangePolicy"), *p, corev1.SELinuxChangePolicyMountOption, corev1.SELinuxChangePolicyRecursive)...)
	}
	return errs
}

// Supported is oneOf for fields of which an empty value is not a missing one.
func Supported[T ~string](path *field.Path, value T, supported ...T) field.ErrorList {
	if slices.Contains(supported, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, supported)}
}

func validateID(id *int64, path *field.Path, rule func(int64) []string) field.ErrorList {
	if id == nil {
		return nil
	}
	return Invalid(path, *id, rule(*id))
}

func validateSecurity(sc *corev1.SecurityContext, path *field.Path, hostUsers bool) field.ErrorList {
	if sc == nil {
		return nil
	}
	errs := validateID(sc.RunAsUser, path.Child("runAsUser"), validation.IsValidUserID)
	errs = append(errs, validateID(sc.RunAsGroup, path.Child("runAsGroup"), validation.IsValidGroupID)...)
	if p := sc.ProcMount; p != nil {
		errs = append(errs, Supported(path.Child("procMount"), *p, corev1.DefaultProcMount, corev1.UnmaskedProcMount)...)
		if hostUsers && *p == corev1.UnmaskedProcMount {
			errs = append(errs, field.Invalid(path.Child("procMount"), *p, "`hostUsers` must be false to use `Unmasked`"))
		}
	}
	errs = append(errs, validateCapabilities(sc.Capabilities, path.Child("capabilities"))...)
	errs = append(errs, validateSeccomp(sc.SeccompProfile, path.Child("seccompProfile"))...)
	if a := sc.AllowPrivilegeEscalation; a != nil && !*a {
		if sc.Privileged != nil && *sc.Privileged {
			errs = append(errs, field.Invalid(path, sc, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
		}
		if sc.Capabilities != nil && slices.Contains(sc.Capabilities.Add, "CAP_SYS_ADMIN") {
			errs = append(errs, field.Invalid(path, sc, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
		}
	}
	return append(errs, validateAppArmor(sc.AppArmorProfile, path.Child("appArmorProfile"))...)
}

func validateSeccomp(p *corev1.SeccompProfile, path *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	var errs field.ErrorList
	if p.Type == "" {
		errs = append(errs, field.Required(path.Child("type"), "type is required when seccompProfile is set"))
	} else {
		errs = append(errs, Supported(path.Child("type"), p.Type,
			corev1.SeccompProfileTypeLocalhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)...)
	}
	at := path.Child("localhostProfile")
	switch local := p.Type == corev1.SeccompProfileTypeLocalhost; {
	case local && p.LocalhostProfile == nil:
		errs = append(errs, field.Required(at, "must be set when seccomp type is Localhost"))
	case local:
		errs = append(errs, descendingPath(*p.LocalhostProfile, at)...)
	case p.LocalhostProfile != nil:
		errs = append(errs, field.Invalid(at, p, "can only be set when seccomp type is Localhost"))
	}
	return errs
}

func validateAppArmor(p *corev1.AppArmorProfile, path *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	at := path.Child("localhostProfile")
	switch p.Type {
	case corev1.AppArmorProfileTypeLocalhost:
		return validateAppArmorName(p.LocalhostProfile, at)
	case corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined:
		if p.LocalhostProfile != nil {
			return field.ErrorList{field.Invalid(at, *p.LocalhostProfile, "can only be set when AppArmor type is Localhost")}
		}
		return nil
	case "":
		return field.ErrorList{field.Required(path.Child("type"), "type is required when appArmorProfile is set")}
	default:
		return Supported(path.Child("type"), p.Type,
			corev1.AppArmorProfileTypeLocalhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
	}
}

func validateAppArmorName(name *string, path *field.Path) field.ErrorList {
	const pathMax = 4095 // PATH_MAX without the final zero
	switch {
	case name == nil || *name == "":
		return field.ErrorList{field.Required(path, "must be set when AppArmor type is Localhost")}
	case strings.TrimSpace(*name) != *name:
		return field.ErrorList{field.Invalid(path, *name, "must not be padded with whitespace")}
	case len(*name) > pathMax:
		return field.ErrorList{field.TooLong(path, "", pathMax)}
	}
	return nil
}

func validateHostUsers(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	if spec.HostUsers == nil || *spec.HostUsers {
		return nil
	}
	var errs field.ErrorList
	for _, f := range []struct {
		set  bool
		name string
	}{{spec.HostNetwork, "hostNetwork"}, {spec.HostPID, "HostPID"}, {spec.HostIPC, "HostIPC"}} {
		if f.set {
			errs = append(errs, field.Forbidden(path.Child(f.name), hostUsersFalse))
		}
	}
	for _, list := range []struct {
		name       string
		containers []corev1.Container
	}{{"initContainers", spec.InitContainers}, {"containers", spec.Containers}} {
		for i := range list.containers {
			at, c := path.Child(list.name).Index(i), &list.containers[i]
			if len(c.VolumeDevices) > 0 {
				errs = append(errs, field.Forbidden(at.Child("volumeDevices"), hostUsersFalse))
			}
			for j := range c.VolumeMounts {
				if p := c.VolumeMounts[j].MountPropagation; p != nil && *p == corev1.MountPropagationBidirectional {
					errs = append(errs, field.Forbidden(at.Child("volumeMounts").Index(j).Child("mountPropagation"), "the kernel lets no mount out of a pod with `hostUsers` false; use HostToContainer"))
				}
			}
		}
	}
	return errs
}

const hostUsersFalse = "when `hostUsers` is false"

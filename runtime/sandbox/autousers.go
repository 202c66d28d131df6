package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/device"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
)

// withinPod are the capabilities that mean the same within a user namespace, or that Docker gives every container: a pod that
// adds others wants something of the machine.
var withinPod = []corev1.Capability{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
	"SYS_CHROOT", "KILL", "AUDIT_WRITE", "NET_ADMIN", "NET_BROADCAST", "SYS_PTRACE", "IPC_OWNER",
}

// podIDs is how many ids are in a pod's range at least: 0 to 65535.
const podIDs = 1 << 16

// decideUsers says whether a pod has a user namespace of its own, and, of one that leaves that to the node, why not. What
// was decided for a pod stays: its namespaces may be there.
func (m *Manager) decideUsers(rec *state.Record, in Inputs) (own bool, why string) {
	if rec.Object.Spec.HostUsers != nil {
		return HasOwnUsers(rec), ""
	}
	if _, leased := m.Users.Lookup(string(rec.UID)); leased {
		return true, ""
	}
	if !in.AutoUsers || rec.Sandbox.HostUsers != "" {
		return false, rec.Sandbox.HostUsers
	}
	if _, err := os.Lstat(m.Paths.Namespaces(rec.UID)); err == nil { // of a try that failed, without ids
		return false, "it has namespaces of the machine's users already"
	}
	if h := rec.Sandbox.Handler; h != nil && len(h.CDIDevices) > 0 {
		return false, fmt.Sprintf("device %s of runtime handler %s", h.CDIDevices[0], h.Name)
	}
	if why = whyHostUsers(rec.Object, in.NFSClaim); why == "" {
		why = m.whyNotHere(rec.Object)
	}
	return why == "", why
}

// whyHostUsers names what in a pod does not go with ids of its own, "" if nothing does. nfsClaim is a volume that is of nfs by its
// claim.
func whyHostUsers(p *corev1.Pod, nfsClaim string) string {
	spec := &p.Spec
	switch sc := spec.SecurityContext; {
	case spec.HostNetwork:
		return "hostNetwork"
	case spec.HostPID:
		return "hostPID"
	case spec.HostIPC:
		return "hostIPC"
	case sc == nil:
	case beyond(sc.RunAsUser) || beyond(sc.RunAsGroup) || beyond(sc.FSGroup) || slices.ContainsFunc(sc.SupplementalGroups, func(id int64) bool { return beyond(&id) }):
		return fmt.Sprintf("ids above %d in the securityContext", podIDs-1)
	}
	for key := range p.Annotations {
		if strings.HasPrefix(key, "cdi.k8s.io/") {
			return "annotation " + key
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if why := whyHostUsersOf(&list[i]); why != "" {
				return why + " of container " + list[i].Name
			}
		}
	}
	for i := range spec.Volumes {
		if v := &spec.Volumes[i]; v.NFS != nil || v.Name == nfsClaim {
			return fmt.Sprintf("volume %s is of nfs", spec.Volumes[i].Name)
		} else if v.EmptyDir != nil && strings.HasPrefix(string(v.EmptyDir.Medium), string(corev1.StorageMediumHugePages)) {
			return fmt.Sprintf("volume %s is of huge pages", v.Name)
		}
	}
	return ""
}

func whyHostUsersOf(c *corev1.Container) string {
	for name := range c.Resources.Limits {
		if device.IsExtended(name) {
			return "resource " + string(name)
		}
	}
	if len(c.VolumeDevices) > 0 {
		return "volumeDevices"
	}
	for _, m := range c.VolumeMounts {
		if m.MountPropagation != nil && *m.MountPropagation == corev1.MountPropagationBidirectional {
			return "mountPropagation: Bidirectional"
		}
	}
	sc := c.SecurityContext
	switch {
	case sc == nil:
		return ""
	case sc.Privileged != nil && *sc.Privileged:
		return "privileged"
	case beyond(sc.RunAsUser) || beyond(sc.RunAsGroup):
		return fmt.Sprintf("ids above %d in the securityContext", podIDs-1)
	case sc.Capabilities != nil:
		for _, added := range sc.Capabilities.Add {
			name := corev1.Capability(strings.TrimPrefix(strings.ToUpper(string(added)), "CAP_"))
			if !slices.Contains(withinPod, name) {
				return "capability " + string(added)
			}
		}
	}
	return ""
}

func beyond(id *int64) bool { return id != nil && *id >= podIDs }

// whyNotHere names what of the machine does not go with ids of the pod's own.
func (m *Manager) whyNotHere(p *corev1.Pod) string {
	if err := userns.Supported(); err != nil {
		return err.Error()
	}
	if err := userns.Reachable(m.Engine.MountDir); err != nil {
		return err.Error()
	}
	if name, ok := userns.KnownToMap(m.Paths.Root); !ok {
		return m.Paths.Root + " is on " + name
	}
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.HostPath == nil {
			continue
		}
		info, err := os.Stat(v.HostPath.Path)
		if err == nil && info.Mode()&(os.ModeDevice|os.ModeSocket) != 0 {
			return fmt.Sprintf("volume %s is a device or a socket", v.Name)
		}
		if name, ok := userns.KnownToMap(v.HostPath.Path); !ok {
			return fmt.Sprintf("volume %s is on %s", v.Name, name)
		}
	}
	return ""
}

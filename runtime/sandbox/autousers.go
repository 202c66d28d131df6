package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/netns/namespace"
	"podd/runtime/container/spec"
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

// PodIDs is how many ids are in a pod's range at least: 0 to 65535.
const PodIDs = 1 << 16

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
	why = whyHostUsers(rec.Object, in.NFSClaim)
	if why == "" {
		why = m.whyNotHere(rec.Object)
	}
	for _, image := range in.Images {
		if why != "" {
			break
		}
		why = whyNotImage(image)
	}
	return why == "", why
}

// whyNotImage is about an image of the pod that is on the board. What is pulled later is judged when something starts of it.
func whyNotImage(image Image) string {
	for part := range strings.SplitSeq(image.User, ":") {
		if id, err := strconv.Atoi(part); err == nil && id >= PodIDs {
			return fmt.Sprintf("image %s runs as user or group %d", image.Name, id)
		}
	}
	highest, err := image.HighestID()
	switch {
	case err != nil: // whoever starts it finds out
	case highest >= PodIDs:
		return (&ImageOwnersError{image.Name, highest}).why()
	}
	return ""
}

// ImageOwnersError says that a file of an image belongs to nobody within a pod's own ids.
type ImageOwnersError struct {
	Image   string
	Highest uint32
}

// Error is one sentence.
func (e *ImageOwnersError) Error() string {
	return "the pod cannot have users and groups of its own: " + e.why()
}

func (e *ImageOwnersError) why() string {
	return fmt.Sprintf("image %s has files of user or group %d", e.Image, e.Highest)
}

// WhyGiveUp says of a pod that has been given ids of its own without asking why it cannot have them, if that is what something
// has failed for. What cannot be known beforehand comes so: an image or a claim that was not there yet.
func WhyGiveUp(rec *state.Record, err error) string {
	h := rec.Sandbox.Handler
	if !rec.Sandbox.OwnUsers || rec.Object.Spec.HostUsers != nil || h != nil && h.UserNamespaces == state.UsersRequired {
		return ""
	}
	var unmappable *userns.UnmappableError
	var beyond *spec.BeyondError
	var owners *ImageOwnersError
	switch {
	case errors.As(err, &unmappable):
		return unmappable.Path + " is on " + unmappable.FileSystem
	case errors.As(err, &beyond):
		return fmt.Sprintf("%s runs as user or group %d", beyond.What, beyond.ID)
	case errors.As(err, &owners):
		return owners.why()
	}
	return ""
}

// whyNoNamespaces is the same of a try to make the namespaces, for which the kernel has refused something.
func whyNoNamespaces(rec *state.Record, err error) string {
	if why := WhyGiveUp(rec, err); why != "" || WhyGiveUp(rec, &ImageOwnersError{}) == "" {
		return why
	}
	for _, refusal := range []error{
		namespace.ErrTooManyUserNamespaces, namespace.ErrNoUserNamespaces, unix.EPERM, unix.EACCES, unix.ENOENT, unix.EINVAL, unix.ENOSYS,
	} {
		if errors.Is(err, refusal) {
			return err.Error()
		}
	}
	return ""
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
		return fmt.Sprintf("ids above %d in the securityContext", PodIDs-1)
	}
	for key := range p.Annotations {
		if strings.HasPrefix(key, "cdi.k8s.io/") {
			return "annotation " + key
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if why := whyHostUsersOf(&list[i], spec.Volumes); why != "" {
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

func whyHostUsersOf(c *corev1.Container, volumes []corev1.Volume) string {
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
		of := func(v corev1.Volume) bool { return v.Name == m.Name && v.HostPath != nil }
		if m.MountPropagation != nil && *m.MountPropagation == corev1.MountPropagationHostToContainer && slices.ContainsFunc(volumes, of) {
			return "mountPropagation: HostToContainer" // what comes later has other owners
		}
	}
	sc := c.SecurityContext
	switch {
	case sc == nil:
		return ""
	case sc.Privileged != nil && *sc.Privileged:
		return "privileged"
	case beyond(sc.RunAsUser) || beyond(sc.RunAsGroup):
		return fmt.Sprintf("ids above %d in the securityContext", PodIDs-1)
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

func beyond(id *int64) bool { return id != nil && *id >= PodIDs }

// whyNoUsers says why no pod on this machine can have ids of its own without asking for them, "" if they can.
func (m *Manager) whyNoUsers() string {
	if err := userns.Supported(); err != nil {
		return err.Error()
	}
	if err := userns.Reachable(m.Engine.MountDir); err != nil {
		return err.Error()
	}
	if name, ok := userns.KnownToMap(m.Paths.Root); !ok {
		return m.Paths.Root + " is on " + name
	}
	return ""
}

// whyNotHere names what of the machine, and of those of its folders that the pod uses, does not go with ids of the pod's own.
func (m *Manager) whyNotHere(p *corev1.Pod) string {
	if why := m.whyNoUsers(); why != "" {
		return why
	}
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.HostPath == nil {
			continue
		}
		if why := whyNotHostPath(v.HostPath.Path); why != "" {
			return "volume " + v.Name + " " + why
		}
	}
	return ""
}

// whyNotHostPath says what at a path of the machine's a pod with ids of its own could not use as a kubelet's can.
func whyNotHostPath(path string) string {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if kind := st.Mode & unix.S_IFMT; err == nil && (kind == unix.S_IFCHR || kind == unix.S_IFBLK || kind == unix.S_IFSOCK) {
		return "is a device or a socket"
	}
	if name, ok := userns.KnownToMap(path); !ok {
		return "is on " + name
	}
	if err != nil {
		return ""
	}
	if st.Uid >= PodIDs || st.Gid >= PodIDs {
		return fmt.Sprintf("belongs to user %d, group %d", st.Uid, st.Gid)
	}
	real, err := filepath.EvalSymlinks(path)
	switch {
	case err != nil:
		return ""
	case strings.HasPrefix(real+"/", "/run/"):
		// A service asks the kernel who has connected, and would be told of an unknown user.
		return "is in /run, where the machine's services listen"
	}
	if below, err := userns.MountBelow(real); err != nil {
		return "cannot be looked at: " + err.Error()
	} else if below != "" {
		return "has another file system below it, at " + below
	}
	return ""
}

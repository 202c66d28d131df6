package container

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	corev1 "k8s.io/api/core/v1"
)

// rootPropagation is that of the container's root: a mount that takes part in the host's needs a root that does.
func rootPropagation(mounts []Mount) string {
	out := ""
	for i := range mounts {
		switch mounts[i].Propagation {
		case corev1.MountPropagationBidirectional:
			return "rshared"
		case corev1.MountPropagationHostToContainer:
			out = "rslave"
		case corev1.MountPropagationNone:
		}
	}
	return out
}

// checkPropagation says what the kernel would not: that nothing would come through. The words are containerd's.
func checkPropagation(mounts []Mount) error {
	for i := range mounts {
		m := &mounts[i]
		if m.Propagation != corev1.MountPropagationBidirectional && m.Propagation != corev1.MountPropagationHostToContainer {
			continue
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return fmt.Errorf("cannot find a volume: %w", err)
		}
		point, fields, err := mountOf(source)
		if err != nil {
			return err
		}
		shared, slave := strings.Contains(fields, "shared:"), strings.Contains(fields, "master:")
		switch {
		case m.Propagation == corev1.MountPropagationBidirectional && !shared:
			return fmt.Errorf("path %q is mounted on %q but it is not a shared mount", m.Source, point)
		case !shared && !slave:
			return fmt.Errorf("path %q is mounted on %q but it is not a shared or slave mount", m.Source, point)
		}
	}
	return nil
}

// mountOf finds the mount that a path is on and its optional fields. man 5 proc_pid_mountinfo
func mountOf(path string) (point, optional string, err error) {
	table, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != "/" && m.Mountpoint != path && !strings.HasPrefix(path, m.Mountpoint+"/"), false
	})
	if err != nil {
		return "", "", fmt.Errorf("cannot read the table of mounts: %w", err)
	}
	for _, m := range table {
		// Of several on one place, the last is on top.
		if len(m.Mountpoint) >= len(point) {
			point, optional = m.Mountpoint, m.Optional
		}
	}
	return point, optional, nil
}

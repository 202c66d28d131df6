package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		table, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return fmt.Errorf("cannot read the table of mounts: %w", err)
		}
		source, err := filepath.EvalSymlinks(m.Source)
		if err != nil {
			return fmt.Errorf("cannot find a volume: %w", err)
		}
		point, fields := mountOf(string(table), source)
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
func mountOf(table, path string) (point, optional string) {
	for line := range strings.Lines(table) {
		before, _, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 6 {
			continue
		}
		at := unescapeMount(fields[4])
		// Of several on one place, the last is on top.
		if len(at) >= len(point) && (at == "/" || path == at || strings.HasPrefix(path, at+"/")) {
			point, optional = at, strings.Join(fields[6:], " ")
		}
	}
	return point, optional
}

func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

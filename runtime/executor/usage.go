package executor

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/volume"
)

// DiskLimit is the sizeLimit of an emptyDir on disk; 0: there is none.
func DiskLimit(v *corev1.Volume) int64 {
	if v.EmptyDir == nil || v.EmptyDir.Medium != corev1.StorageMediumDefault || v.EmptyDir.SizeLimit == nil {
		return 0
	}
	return v.EmptyDir.SizeLimit.Value()
}

// measureVolumes looks whether emptyDirs have grown beyond their limits.
func (op *run) measureVolumes() (out VolumesMeasured, err error) {
	out.Held = true
	for i := range op.Record.Object.Spec.Volumes {
		v := &op.Record.Object.Spec.Volumes[i]
		limit := DiskLimit(v)
		if limit == 0 {
			continue
		}
		dir, err := op.Volumes.Path(string(op.Record.UID), v)
		if err != nil {
			return out, err
		}
		_, used, err := volume.Quota(dir)
		if err == nil && !exceeds(&op.Record.Object.Spec) {
			continue
		}
		out.Held = false
		if err != nil {
			used, err = volume.Usage(dir)
		}
		if err != nil {
			return out, err
		}
		out.Used += used
		if used > limit {
			out.Excess = fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
		}
	}
	return out, nil
}

// exceeds says of a pod that the kernel does not keep it to quotas. man 7 capabilities, CAP_SYS_RESOURCE
func exceeds(spec *corev1.PodSpec) bool {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			sc := list[i].SecurityContext
			if sc == nil {
				continue
			}
			if sc.Privileged != nil && *sc.Privileged || sc.Capabilities != nil && slices.ContainsFunc(sc.Capabilities.Add, mayExceed) {
				return true
			}
		}
	}
	return false
}

func mayExceed(c corev1.Capability) bool {
	return slices.Contains([]string{"SYS_RESOURCE", "ALL"}, strings.TrimPrefix(strings.ToUpper(string(c)), "CAP_"))
}

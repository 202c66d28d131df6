package runtime

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/volume"
)

// measureEvery is how long a pod may exceed the sizeLimit of an emptyDir where no project quota holds it: the kubelet's.
const measureEvery = 10 * time.Second

// hasDiskLimit says that an emptyDir on disk has a sizeLimit. Only such pods are looked at while nothing happens.
func hasDiskLimit(rec *Record) bool {
	for i := range rec.Object.Spec.Volumes {
		if limitOnDisk(&rec.Object.Spec.Volumes[i]) > 0 {
			return true
		}
	}
	return false
}

func limitOnDisk(v *corev1.Volume) int64 {
	if v.EmptyDir == nil || v.EmptyDir.Medium != corev1.StorageMediumDefault || v.EmptyDir.SizeLimit == nil {
		return 0
	}
	return v.EmptyDir.SizeLimit.Value()
}

// measured is the outcome of a MeasureVolumes.
type measured struct {
	held   bool   // the file system holds all limits by itself
	excess string // the sentence about a volume that is too large
}

// measureVolumes looks whether emptyDirs have grown beyond their limits.
func (op *operation) measureVolumes() (measured, error) {
	out := measured{held: true}
	for i := range op.rec.Object.Spec.Volumes {
		v := &op.rec.Object.Spec.Volumes[i]
		limit := limitOnDisk(v)
		if limit == 0 {
			continue
		}
		dir, err := op.r.volumes.Path(string(op.uid), v)
		if err != nil {
			return out, err
		}
		if _, _, err := volume.Quota(dir); err == nil {
			continue
		}
		out.held = false
		used, err := volume.Usage(dir)
		if err != nil {
			return out, err
		}
		if used > limit {
			out.excess = fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
		}
	}
	return out, nil
}

func (r *Runtime) learnMeasured(p *pod, m msgOutcome, now Instant) {
	out, _ := m.outcome.(measured)
	p.measure, p.quotas = now.after(measureEvery), m.err == nil && out.held
	if m.err == nil && out.excess != "" {
		r.evict(p, out.excess, now)
	}
}

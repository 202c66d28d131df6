package runtime

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/state"
	"podd/runtime/volume"
)

// How long a pod may exceed the sizeLimit of an emptyDir where no project quota holds it: while it writes, and at most, which
// is how long the kubelet keeps what it has measured (volumeStatsAggPeriod).
const (
	measureEvery = 10 * time.Second
	measureLast  = time.Minute
)

// hasDiskLimit says that an emptyDir on disk has a sizeLimit. Only such pods are looked at while nothing happens.
func hasDiskLimit(rec *state.Record) bool {
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
	used   int64  // bytes, of all that were measured
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
		_, used, err := volume.Quota(dir)
		if err == nil && !exceeds(&op.rec.Object.Spec) {
			continue
		}
		out.held = false
		if err != nil {
			used, err = volume.Usage(dir)
		}
		if err != nil {
			return out, err
		}
		out.used += used
		if used > limit {
			out.excess = fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", v.Name, v.EmptyDir.SizeLimit.String())
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

func (r *Runtime) learnMeasured(p *pod, m msgOutcome, now state.Instant) {
	out, _ := m.outcome.(measured)
	p.usage = p.usage.next(out.used)
	p.measure, p.quotas = now.After(p.usage.every), m.err == nil && out.held
	if m.err == nil && out.excess != "" {
		r.evict(p, out.excess, now)
	}
}

// usage is what the emptyDirs of a pod took when they were last measured, and when to look again: the longer the less
// they change.
type usage struct {
	used  int64
	every time.Duration
}

func (u usage) next(used int64) usage {
	if u.every == 0 || used != u.used {
		return usage{used, measureEvery}
	}
	return usage{used, min(2*u.every, measureLast)}
}

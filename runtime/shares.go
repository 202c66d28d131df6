package runtime

import (
	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/runtime/manifest"
	"podd/runtime/sandbox"
)

// shareOut gives the burstable pods together the CPU shares that they have asked for, as the kubelet does:
// their cgroup competes with each guaranteed pod's, and with the best-effort ones' as a whole.
func (r *Runtime) shareOut() {
	shares := cgroups.MilliCPUToShares(r.burstableMilliCPU())
	if shares == r.shares {
		return
	}
	if err := r.Cgroups.SetTierShares(cgroups.Burstable, shares); err != nil {
		r.Log.Warn("cannot give burstable pods their CPU shares", "shares", shares, "error", err)
		return
	}
	r.shares = shares
}

func (r *Runtime) burstableMilliCPU() int64 {
	var sum int64
	for _, p := range r.pods {
		spec := &p.Record.Object.Spec
		if p.Record.Sandbox.Ready == nil || manifest.QOSClass(spec) != corev1.PodQOSBurstable {
			continue
		}
		if request := sandbox.TotalResource(spec, corev1.ResourceCPU, false); request != nil {
			sum += request.MilliValue()
		}
	}
	return sum
}

// unknownShares are no CPU shares that pods can have.
const unknownShares = 0

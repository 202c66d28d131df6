package runtime

import (
	"log/slog"

	corev1 "k8s.io/api/core/v1"

	"podd/cgroups"
	"podd/runtime/manifest/resources"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// cpuShares are the CPU shares of the burstable pods together, as the kubelet sets them: their cgroup competes with each
// guaranteed pod's, and with the best-effort ones' as a whole.
type cpuShares struct {
	pods    *podTable
	cgroups Cgroups
	last    uint64 // as last set
	log     *slog.Logger
}

// unknownShares are no CPU shares that pods can have.
const unknownShares = 0

// update gives the burstable pods the shares that they ask for now.
func (s *cpuShares) update() {
	shares := cgroups.MilliCPUToShares(s.burstableMilliCPU())
	if shares == s.last {
		return
	}
	if err := s.cgroups.SetTierShares(cgroups.Burstable, shares); err != nil {
		s.log.Warn("cannot give burstable pods their CPU shares", "shares", shares, "error", err)
		return
	}
	s.last = shares
}

// forget says that what was set may be gone.
func (s *cpuShares) forget() { s.last = unknownShares }

func (s *cpuShares) burstableMilliCPU() int64 {
	var sum int64
	for _, p := range s.pods.pods {
		spec := &p.Record.Object.Spec
		if p.Record.Sandbox.Ready == nil || resources.QOSClass(spec) != corev1.PodQOSBurstable {
			continue
		}
		if request := sandbox.TotalResource(spec, corev1.ResourceCPU, false); request != nil {
			sum += request.MilliValue()
		}
	}
	return sum
}

// watchCgroups has the loop told when a cgroup below a pod's has been removed.
func (r *Runtime) watchCgroups() {
	if err := r.Cgroups.OnRemoval(func(cgroup string) { r.inbox.put(msgCgroup{cgroup}) }); err != nil {
		r.Log.Warn("a container whose cgroup somebody removes is not noticed before podd starts again", "error", err)
	}
}

// cgroupRemoved looks at the pod whose cgroup a hint is about.
func (r *Runtime) cgroupRemoved(cgroup string, now state.Instant) {
	for _, p := range r.pods {
		if p.Record.Sandbox.CgroupPath == cgroup {
			r.lifecycle.CheckCgroups(p, now)
		}
	}
}

package runtime

import (
	"podd/runtime/state"
)

// syncPolicies tells the network what the policies come to for the pods of now, if that may be something else. It goes
// before the operations that the same turn of the loop begins: a pod's policies are known before it has an address.
func (r *Runtime) syncPolicies(now state.Instant) {
	// As long as no folder was seen those of the daemon before stay: none would open the pods.
	if r.objects.Known() && r.policies.Due(now.Mono) {
		r.ReportNetwork("network policies", r.policies.Sync(r.podsByNow(), now))
	}
}

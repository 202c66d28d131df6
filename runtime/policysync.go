package runtime

import (
	corev1 "k8s.io/api/core/v1"

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

// podsByNow are the pods with the labels that their manifests have now.
func (r *Runtime) podsByNow() []*corev1.Pod {
	pods := make([]*corev1.Pod, 0, len(r.pods))
	for uid, p := range r.pods {
		object := p.Record.Object
		if m := r.desired[keyOf(object)]; m != nil && p.Record.Stop == nil {
			object = m.Object
		}
		now := *object
		now.UID = uid
		pods = append(pods, &now)
	}
	return pods
}

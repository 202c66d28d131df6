package runtime

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"podd/runtime/networkpolicy"
	"podd/runtime/state"
)

// syncPolicies tells the network what the policies come to for the pods of now. It goes before the operations
// that the same turn of the loop begins: a pod's policies are known before it has an address.
func (r *Runtime) syncPolicies(now state.Instant) {
	again := r.policyRetry != 0 && now.Mono >= r.policyRetry
	// As long as no folder was seen those of the daemon before stay: none would open the pods.
	if !r.policiesDue && !again || !r.services.known {
		return
	}
	r.policiesDue, r.policyRetry = false, 0
	err := r.Network.SetPolicies(networkpolicy.Build(r.policies(), networkpolicy.NewPolicyPeers(r.podsByNow(), r.namespaceLabels()), r.DefaultDeny))
	if err != nil {
		r.policyRetry = now.After(policyPatience)
		err = fmt.Errorf("they stay as they were, and podd tries again: %w", err)
	}
	r.NetworkTrouble("network policies", err)
}

// policyPatience is how long podd waits before it writes policies again that the kernel has refused.
const policyPatience = 5 * time.Second

// policies are those of the folder.
func (r *Runtime) policies() []*networkingv1.NetworkPolicy {
	var list []*networkingv1.NetworkPolicy
	for _, o := range r.objects.List("NetworkPolicy") {
		list = append(list, o.Value.(*networkingv1.NetworkPolicy))
	}
	return list
}

// namespaceLabels are those of the namespaces that the folder declares.
func (r *Runtime) namespaceLabels() map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, o := range r.objects.List("Namespace") {
		labels[o.Name] = o.Value.GetLabels()
	}
	return labels
}

// podsByNow are the pods with the labels that their manifests have now.
func (r *Runtime) podsByNow() []*corev1.Pod {
	pods := make([]*corev1.Pod, 0, len(r.pods))
	for uid, p := range r.pods {
		object := p.rec.Object
		if m := r.desired[keyOf(object)]; m != nil && p.rec.Stop == nil {
			object = m.Object
		}
		now := *object
		now.UID = uid
		pods = append(pods, &now)
	}
	return pods
}

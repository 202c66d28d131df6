package runtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/netns"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// Annotations that limit a pod's traffic (kubernetes, pkg/util/bandwidth).
const ()

// restoreNetwork tells the network of the pods that it has from an earlier daemon.
func (r *Runtime) restoreNetwork(now state.Instant) {
	var recs []*state.Record
	for _, p := range r.pods {
		if p.rec.Sandbox.Ready != nil && p.rec.State != state.PodFinished && !p.rec.Object.Spec.HostNetwork {
			recs = append(recs, p.rec)
		}
	}
	// Of two pods with one address the older one keeps it.
	slices.SortFunc(recs, func(a, b *state.Record) int {
		return cmp.Or(cmp.Compare(a.Sandbox.Ready.Mono, b.Sandbox.Ready.Mono), cmp.Compare(a.UID, b.UID))
	})
	pods := make([]netns.Pod, len(recs))
	for i, rec := range recs {
		pods[i] = sandbox.NetworkPod(r.paths, rec)
		pods[i].IP, _ = netip.ParseAddr(rec.Sandbox.IP)
		pods[i].IPv4Only = rec.Sandbox.IP6 == ""
	}
	homeless, err := r.Network.Restore(pods)
	r.NetworkTrouble("pods of before", err)
	for id, why := range homeless {
		r.replaceHomeless(r.pods[types.UID(id)], why, now)
	}
	r.NetworkTrouble("addresses", r.Network.Overlap())
}

// replaceHomeless ends a pod that has no address, and lets it begin anew with one: its containers know it by the address
// that it had.
func (r *Runtime) replaceHomeless(p *pod, why error, now state.Instant) {
	p.rec.Sandbox.IP, p.rec.Sandbox.IP6, p.deleted = "", "", true
	text := fmt.Sprintf("Pod sandbox changed, it will be killed and re-created: %v", why)
	r.Log.Error("a pod has no address and is replaced", "pod", p.name(), "error", why)
	r.event(p, "", now, corev1.EventTypeWarning, "AddressConflict", text)
	r.save(p)
	r.mark(p.rec.UID)
}

// showAddresses publishes the machine's addresses of now in every pod's status, if they are others.
func (r *Runtime) showAddresses(now state.Instant) {
	before := r.boardIPs()
	r.hostIPs.forget()
	if slices.Equal(before, r.boardIPs()) {
		return
	}
	r.services.MarkChanged() // a LoadBalancer is on them
	for _, p := range r.pods {
		if !p.busy { // else its outcome publishes it
			r.publish(p, now)
		}
	}
}

package runtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/netns"
	"podd/runtime/lifecycle"
	"podd/runtime/sandbox"
	"podd/runtime/state"
)

// Annotations that limit a pod's traffic (kubernetes, pkg/util/bandwidth).
const ()

// restoreNetwork tells the network of the pods that it has from an earlier daemon.
func (r *Runtime) restoreNetwork(now state.Instant) {
	var recs []*state.Record
	for _, p := range r.pods {
		if p.Record.Sandbox.Ready != nil && p.Record.State != state.PodFinished && !p.Record.Object.Spec.HostNetwork {
			recs = append(recs, p.Record)
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
	r.ReportNetwork("pods of before", err)
	for id, why := range homeless {
		r.replaceHomeless(r.pods[types.UID(id)], why, now)
	}
	r.ReportNetwork("addresses", r.Network.Overlap())
}

// replaceHomeless ends a pod that has no address, and lets it begin anew with one: its containers know it by the address
// that it had.
func (r *Runtime) replaceHomeless(p *lifecycle.Pod, why error, now state.Instant) {
	p.Record.Sandbox.IP, p.Record.Sandbox.IP6, p.Deleted = "", "", true
	text := fmt.Sprintf("Pod sandbox changed, it will be killed and re-created: %v", why)
	r.Log.Error("a pod has no address and is replaced", "pod", p.Name(), "error", why)
	r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "AddressConflict", text)
	r.save(p)
	r.mark(p.Record.UID)
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
		if !p.Busy { // else its outcome publishes it
			r.publish(p, now)
		}
	}
}

package runtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/background"
	"podd/internal/hostfile"
	"podd/netns"
	"podd/runtime/lifecycle"
	"podd/runtime/networkpolicy"
	"podd/runtime/objects"
	"podd/runtime/prober"
	"podd/runtime/sandbox"
	"podd/runtime/service"
	"podd/runtime/state"
)

// network keeps what the pods' network depends on in line with the pods and the objects: Services, policies, name servers, and
// the machine's addresses. It belongs to the loop.
type network struct {
	config    *Config
	paths     state.Paths
	pods      *podTable
	objects   *objects.Desired
	services  *service.Syncer
	policies  *networkpolicy.Syncer
	prober    *prober.Prober
	lifecycle *lifecycle.Handler
	publish   func(p *lifecycle.Pod, now state.Instant)
	// report says what is wrong with a part of the network, or with nil that it is right again. Any goroutine calls it.
	report func(what string, err error)

	hostIPs hostAddresses
	// resolver is what the host's resolv.conf said last; nil: nothing yet. resolverGuard is of one that never answers.
	resolver      *sandbox.Resolver
	resolverGuard hostfile.Guard
	// forwarding puts tables of Services into the kernel.
	forwarding background.Queue
	// nextTable is the one that the kernel is to have; nil: it has been given it.
	nextTable atomic.Pointer[netns.ServiceTable]
}

// restore tells the network of the pods that it has from an earlier daemon.
func (n *network) restore(now state.Instant) {
	var recs []*state.Record
	for _, p := range n.pods.pods {
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
		pods[i] = sandbox.NetworkPod(n.paths, rec)
		pods[i].IP, _ = netip.ParseAddr(rec.Sandbox.IP)
		pods[i].IPv4Only = rec.Sandbox.IP6 == ""
	}
	homeless, err := n.config.Network.Restore(pods)
	n.report("pods of before", err)
	for id, why := range homeless {
		n.replaceHomeless(n.pods.pods[types.UID(id)], why, now)
	}
	n.report("addresses", n.config.Network.Overlap())
}

// replaceHomeless ends a pod that has no address, and lets it begin anew with one: its containers know it by the address
// that it had.
func (n *network) replaceHomeless(p *lifecycle.Pod, why error, now state.Instant) {
	p.Record.Sandbox.IP, p.Record.Sandbox.IP6, p.Deleted = "", "", true
	text := fmt.Sprintf("Pod sandbox changed, it will be killed and re-created: %v", why)
	n.config.Log.Error("a pod has no address and is replaced", "pod", p.Name(), "error", why)
	n.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "AddressConflict", text)
	n.pods.save(p)
	n.pods.mark(p.Record.UID)
}

// addressesMoved publishes the machine's addresses of now in every pod's status, if they are others.
func (n *network) addressesMoved(now state.Instant) {
	before := n.boardIPs()
	n.hostIPs.forget()
	if slices.Equal(before, n.boardIPs()) {
		return
	}
	n.services.MarkChanged() // a LoadBalancer is on them
	for _, p := range n.pods.pods {
		if !p.Busy { // else its outcome publishes it
			n.publish(p, now)
		}
	}
}

// boardIPs are the board's addresses of now.
func (n *network) boardIPs() []netip.Addr {
	ips := n.hostIPs.get(n.config.HostIPs)
	first := ""
	if len(ips) > 0 {
		first = ips[0].String()
	}
	n.prober.SetHostAddress(first)
	return ips
}

// syncPolicies tells the network what the policies come to for the pods of now, if that may be something else. It goes
// before the operations that the same turn of the loop begins: a pod's policies are known before it has an address.
func (n *network) syncPolicies(now state.Instant) {
	// As long as no folder was seen those of the daemon before stay: none would open the pods.
	if n.objects.Known() && n.policies.Due(now.Mono) {
		n.report("network policies", n.policies.Sync(n.pods.podsByNow(), now))
	}
}

// hostAddresses keeps the board's addresses for a while: every published status shows them. They belong to the loop.
type hostAddresses struct {
	read state.BootTime // since boot
	ips  []netip.Addr
}

// forget says that the addresses may be others now.
func (h *hostAddresses) forget() {
	h.ips = nil
}

func (h *hostAddresses) get(read func() ([]netip.Addr, error)) []netip.Addr {
	const fresh = 30 * time.Second
	now := state.Now().Mono
	if h.ips != nil && now < h.read.Add(fresh) {
		return h.ips
	}
	if ips, err := read(); err == nil {
		h.ips, h.read = ips, now
	}
	return h.ips
}

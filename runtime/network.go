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
	"podd/netns"
	"podd/runtime/lifecycle"
	"podd/runtime/sandbox"
	"podd/runtime/service"
	"podd/runtime/state"
)

// networkSync brings the pods' network into line with pods, Services and policies.
type networkSync struct {
	r *Runtime
	// forwarding puts tables of Services into the kernel.
	forwarding background.Queue
	// nextTable is the one that the kernel is to have; nil: it has been given it.
	nextTable atomic.Pointer[numberedTable]
	// tables counts those that the kernel was to have, applied is the last one that it has.
	tables, applied uint64
	hostIPs         hostAddresses
}

// restoreNetwork tells the network of the pods that it has from an earlier daemon.
func (ns *networkSync) restoreNetwork(now state.Instant) {
	var recs []*state.Record
	for _, p := range ns.r.pods {
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
		pods[i] = sandbox.NetworkPod(ns.r.paths, rec)
		pods[i].IP, _ = netip.ParseAddr(rec.Sandbox.IP)
		pods[i].IPv4Only = rec.Sandbox.IP6 == ""
	}
	homeless, err := ns.r.Network.Restore(pods)
	ns.r.ReportNetwork("pods of before", err)
	for id, why := range homeless {
		ns.replaceHomeless(ns.r.pods[types.UID(id)], why, now)
	}
	ns.r.ReportNetwork("addresses", ns.r.Network.Overlap())
}

// replaceHomeless ends a pod that has no address, and lets it begin anew with one: its containers know it by the address
// that it had.
func (ns *networkSync) replaceHomeless(p *lifecycle.Pod, why error, now state.Instant) {
	p.Record.Sandbox.IP, p.Record.Sandbox.IP6, p.Deleted = "", "", true
	text := fmt.Sprintf("Pod sandbox changed, it will be killed and re-created: %v", why)
	ns.r.Log.Error("a pod has no address and is replaced", "pod", p.Name(), "error", why)
	ns.r.lifecycle.Event(p, "", now, corev1.EventTypeWarning, "AddressConflict", text)
	ns.r.save(p)
	ns.r.mark(p.Record.UID)
}

// showAddresses publishes the machine's addresses of now in every pod's status, if they are others.
func (ns *networkSync) showAddresses(now state.Instant) {
	before := ns.boardIPs()
	ns.hostIPs.forget()
	if slices.Equal(before, ns.boardIPs()) {
		return
	}
	ns.r.services.MarkChanged() // a LoadBalancer is on them
	for _, p := range ns.r.pods {
		if !p.Busy { // else its outcome publishes it
			ns.r.publish(p, now)
		}
	}
}

// Forwarder leads connections from Services to pods.
type Forwarder interface {
	service.Ports
	Apply(t netns.ServiceTable) error
}

// syncServices brings the kernel's table, the names and what the API shows into line with Services and pods, if any have
// changed. As long as no folder was seen those of the daemon before stay.
func (ns *networkSync) syncServices(now state.Instant) {
	if !ns.r.objects.Known() || !ns.r.services.Due(now.Mono) {
		return
	}
	if !ns.r.services.Synced() {
		// What an earlier daemon left is to be seen before anything is taken away from it.
		for _, p := range ns.r.pods {
			ns.r.publish(p, now)
		}
	}
	ns.r.services.Sync(ns.boardIPs(), now)
}

// numberedTable is one of the tables that the kernel is to have.
type numberedTable struct {
	n     uint64
	table netns.ServiceTable
}

// forward gives the kernel a table away from the loop; of several that wait the newest counts.
func (ns *networkSync) forward(t netns.ServiceTable) {
	ns.tables++
	for _, p := range ns.r.pods {
		if p.Drain.Begun && p.Drain.Table == 0 && p.Record.State == state.PodStopping {
			p.Drain.Table = ns.tables
		}
	}
	ns.nextTable.Store(&numberedTable{ns.tables, t})
	ns.forwarding.Do(func() {
		next := ns.nextTable.Swap(nil)
		if next == nil {
			return
		}
		err := ns.r.Forwarder.Apply(next.table)
		if err != nil {
			err = fmt.Errorf("they go on as they were: %w", err)
		}
		ns.r.ReportNetwork("Services", err)
		ns.r.inbox.put(msgForwarded{next.n}) // waiting longer does not help where it failed
	})
}

// While a pod that serves behind a Service ends, and others take its place there, its containers get their stop signal only
// when the kernel leads nobody to it any more, and what was under way then has had a moment.
const (
	drainMost  = 2 * time.Second // the kernel's tables may be long in coming
	drainPause = 250 * time.Millisecond
)

// drainedAt is when a pod may get its stop signal; 0: now. It is asked in each decision about the pod.
func (ns *networkSync) drainedAt(p *lifecycle.Pod, wanted bool, now state.Instant) state.BootTime {
	switch {
	case p.Record.State == state.PodStopping, p.Record.State == state.PodRunning && !wanted:
	default:
		p.Drain = lifecycle.Drain{}
		return 0
	}
	d := &p.Drain
	if !d.Begun {
		d.Begun = true
		if ns.r.stopping || !ns.r.services.Relieves(p.Record.UID) {
			return 0
		}
		d.At = now.After(drainMost)
		if p.Record.State == state.PodStopping && !ns.r.services.Due(now.Mono) { // an earlier daemon began its end
			if d.Table = ns.tables; ns.applied >= d.Table {
				d.At = now.After(drainPause)
			}
		}
	}
	return d.At
}

// applyDrains lets pods go on that the kernel leads nobody to any more.
func (ns *networkSync) applyDrains(n uint64, now state.Instant) {
	ns.applied = n
	for uid, p := range ns.r.pods {
		if d := &p.Drain; d.Table != 0 && d.Table <= n && now.Mono < d.At {
			d.Table, d.At = 0, min(d.At, now.After(drainPause))
			ns.r.mark(uid)
		}
	}
}

// restoreNames serves what an earlier daemon of this boot has left, before anything else is looked at.
func (ns *networkSync) restoreNames() {
	if zone := ns.r.services.ReadZone(); zone != nil {
		ns.r.resolver.readResolver()
		ns.r.services.ServeZone(*zone)
	}
}

// syncPolicies tells the network what the policies come to for the pods of now, if that may be something else. It goes
// before the operations that the same turn of the loop begins: a pod's policies are known before it has an address.
func (ns *networkSync) syncPolicies(now state.Instant) {
	// As long as no folder was seen those of the daemon before stay: none would open the pods.
	if ns.r.objects.Known() && ns.r.policies.Due(now.Mono) {
		ns.r.ReportNetwork("network policies", ns.r.policies.Sync(ns.r.podsByNow(), now))
	}
}

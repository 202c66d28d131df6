package runtime

import (
	"fmt"

	"podd/netns"
	"podd/runtime/service"
	"podd/runtime/state"
)

// Forwarder leads connections from Services to pods.
type Forwarder interface {
	service.Ports
	Apply(t netns.ServiceTable) error
}

// syncServices brings the kernel's table, the names and what the API shows into line with Services and pods, if any have
// changed. As long as no folder was seen those of the daemon before stay.
func (n *network) syncServices(now state.Instant) {
	if !n.objects.Known() || !n.services.Due(now.Mono) {
		return
	}
	if !n.services.Synced() {
		// What an earlier daemon left is to be seen before anything is taken away from it.
		for _, p := range n.pods.pods {
			n.publish(p, now)
		}
	}
	n.services.Sync(n.boardIPs(), now)
}

// forward gives the kernel a table away from the loop; of several that wait the newest counts.
func (n *network) forward(t netns.ServiceTable) {
	n.nextTable.Store(&t)
	n.forwarding.Do(func() {
		next := n.nextTable.Swap(nil)
		if next == nil {
			return
		}
		err := n.config.Forwarder.Apply(*next)
		if err != nil {
			err = fmt.Errorf("they go on as they were: %w", err)
		}
		n.report("Services", err)
	})
}

// restoreNames serves what an earlier daemon of this boot has left, before anything else is looked at.
func (n *network) restoreNames() {
	if zone := n.services.ReadZone(); zone != nil {
		n.readResolver()
		n.services.ServeZone(*zone)
	}
}

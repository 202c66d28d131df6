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
func (r *Runtime) syncServices(now state.Instant) {
	if !r.objects.Known() || !r.services.Due(now.Mono) {
		return
	}
	if !r.services.Synced() {
		// What an earlier daemon left is to be seen before anything is taken away from it.
		for _, p := range r.pods {
			r.publish(p, now)
		}
	}
	r.services.Sync(r.boardIPs(), now)
}

// forward gives the kernel a table away from the loop; of several that wait the newest counts.
func (r *Runtime) forward(t netns.ServiceTable) {
	r.nextTable.Store(&t)
	r.forwarding.Do(func() {
		next := r.nextTable.Swap(nil)
		if next == nil {
			return
		}
		err := r.Forwarder.Apply(*next)
		if err != nil {
			err = fmt.Errorf("they go on as they were: %w", err)
		}
		r.ReportNetwork("Services", err)
	})
}

// restoreNames serves what an earlier daemon of this boot has left, before anything else is looked at.
func (r *Runtime) restoreNames() {
	if zone := r.services.ReadZone(); zone != nil {
		r.readResolver()
		r.services.ServeZone(*zone)
	}
}

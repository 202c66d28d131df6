package runtime

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"podd/internal/atomicfile"
	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/env"
	"podd/runtime/objects"
	"podd/runtime/service"
	"podd/runtime/state"
)

// Forwarder leads connections from Services to pods.
type Forwarder interface {
	Apply(t netns.ServiceTable) error
	// InUse says whether a process of the machine listens on a port of an address, or without one of any address that has
	// node ports.
	InUse(ip netip.Addr, p netns.Protocol, port uint16) bool
	// Overlaps are networks that the machine has routes to and whose addresses Services may get.
	Overlaps() []netip.Prefix
}

const (
	kindService       = "Service"
	kindEndpointSlice = "EndpointSlice"
	kindEndpoints     = "Endpoints"
)

// services is what the loop knows of the Services of the folder.
type services struct {
	changed bool // something that they depend on
	known   bool // the folder was looked at
	kept    service.Allocations
	fronts  map[objects.Key]bool // shown beside what the folder has
	said    map[string]bool      // faults, as were told
	names   []byte               // as saved
	recheck state.BootTime       // since boot; 0: nothing to look at again
	seen    map[*pod]string      // what of a pod Services depend on
	// complete are the Services with their addresses, for whoever starts a container.
	complete atomic.Pointer[[]*corev1.Service]
	// next is the table that the kernel is to have; nil: it has been given it.
	next atomic.Pointer[netns.ServiceTable]
}

// servicesFile remembers addresses and node ports over reboots.
func (r *Runtime) servicesFile() string { return filepath.Join(r.RootDir, "services.json") }

func (r *Runtime) readServices() {
	r.services.kept = service.Allocations{}
	if err := atomicfile.LoadJSON(r.servicesFile(), &r.services.kept, nil); err != nil {
		r.services.kept = service.Allocations{}
		r.disk.Restored(err, "addresses of Services are chosen anew, by their names")
	}
}

// noteService says that Services may have to change because of a pod: one that is published, or nil for one that has
// gone.
func (r *Runtime) noteService(p *pod, now *corev1.Pod) {
	front := ""
	if now != nil {
		ready := corev1.ConditionUnknown
		for _, c := range now.Status.Conditions {
			if c.Type == corev1.PodReady {
				ready = c.Status
			}
		}
		front = fmt.Sprint(now.Labels, now.Status.PodIPs, ready, now.DeletionTimestamp != nil, now.Status.Phase)
	}
	if r.services.seen[p] == front {
		return
	}
	r.services.changed = true
	if now == nil {
		delete(r.services.seen, p)
	} else {
		r.services.seen[p] = front
	}
}

// recheckPorts is how long a Service waits for a port that a process has: nobody tells when it ends.
const recheckPorts = 15 * time.Second

// serve brings the kernel's table, the names and what the API shows into line with Services and pods, if any have
// changed.
func (r *Runtime) serve(now state.Instant) {
	if r.services.recheck != 0 && now.Mono >= r.services.recheck {
		r.services.changed = true
	}
	if !r.services.changed || !r.services.known {
		return
	}
	if r.services.complete.Load() == nil {
		// What an earlier daemon left is to be seen before anything is taken away from it.
		for _, p := range r.pods {
			r.publish(p, now)
		}
	}
	r.services.changed, r.services.recheck = false, 0
	pods, _ := r.store.Pods()
	in := service.Input{NodeName: r.NodeName, NodeIPs: r.boardIPs(), Ranges: r.ServiceCIDRs, Kept: r.services.kept, Pods: pods, InUse: r.Forwarder.InUse, Networks: r.Forwarder.Overlaps()}
	for _, o := range r.objects.List(kindService) {
		in.Services = append(in.Services, o.Value.(*corev1.Service))
	}
	for _, o := range r.objects.List(kindEndpointSlice) {
		in.Slices = append(in.Slices, o.Value.(*discoveryv1.EndpointSlice))
	}
	out := service.Build(in)
	if out.Recheck {
		r.services.recheck = now.After(recheckPorts)
	}
	r.services.complete.Store(&out.Services)
	r.remember(out.Kept)
	r.serveNames(savedNames{out.Names, out.PodNames})
	r.forward(out.Table)
	r.HealthPorts(out.Health)
	r.showServices(&out)
	r.sayFaults(out.Faults, now)
}

// remember keeps what Services were given, if that is news.
func (r *Runtime) remember(kept service.Allocations) {
	before, err := json.Marshal(r.services.kept)
	after, err2 := json.Marshal(kept)
	r.services.kept = kept
	if err != nil || err2 != nil || string(before) != string(after) {
		r.disk.Persist(r.servicesFile(), kept, "the addresses of Services")
	}
}

// setZone gives the name server what it is to know.
func (r *Runtime) setZone(names savedNames) {
	zone, err := dns.NewZone(r.ClusterDomain, append(r.PodCIDRs[:len(r.PodCIDRs):len(r.PodCIDRs)], r.ServiceCIDRs...), names.Services, names.Pods)
	if err != nil {
		r.Log.Error("some names are not served", "error", err)
	}
	if zone != nil {
		r.Names.SetZone(zone)
	}
}

// forward gives the kernel a table away from the loop; of several that wait the newest counts.
func (r *Runtime) forward(t netns.ServiceTable) {
	r.services.next.Store(&t)
	r.forwarding.Do(func() {
		next := r.services.next.Swap(nil)
		if next == nil {
			return
		}
		err := r.Forwarder.Apply(*next)
		if err != nil {
			err = fmt.Errorf("they go on as they were: %w", err)
		}
		r.NetworkTrouble("Services", err)
	})
}

// showServices publishes what the folder does not say: addresses, status and endpoints.
func (r *Runtime) showServices(out *service.Output) {
	for _, s := range out.Services {
		r.store.SetObject(kindService, s)
	}
	fronts := map[objects.Key]bool{}
	for _, s := range out.Slices {
		key := objects.Key{Kind: kindEndpointSlice, Namespace: s.Namespace, Name: s.Name}
		if r.objects.Get(key.Kind, key.Namespace, key.Name) == nil {
			fronts[key] = true
			r.store.SetObject(kindEndpointSlice, s)
		}
	}
	for _, e := range out.Endpoints {
		fronts[objects.Key{Kind: kindEndpoints, Namespace: e.Namespace, Name: e.Name}] = true
		r.store.SetObject(kindEndpoints, e)
	}
	for key := range r.services.fronts {
		if !fronts[key] {
			r.store.RemoveObject(key)
		}
	}
	r.services.fronts = fronts
}

// sayFaults makes an event of what is newly wrong with a Service.
func (r *Runtime) sayFaults(faults []service.Fault, now state.Instant) {
	said := map[string]bool{}
	for _, f := range faults {
		text := f.Service.Namespace + "/" + f.Service.Name + ": " + f.Message
		if said[text] = true; r.services.said[text] {
			continue
		}
		r.Log.Warn("a Service does not work as it is written", "service", f.Service.Namespace+"/"+f.Service.Name, "problem", f.Message)
		ref := objects.Key{Kind: kindService, Namespace: f.Service.Namespace, Name: f.Service.Name}.Reference()
		ref.UID = f.Service.UID
		if f.Slice != nil {
			ref = objects.Key{Kind: kindEndpointSlice, Namespace: f.Slice.Namespace, Name: f.Slice.Name}.Reference()
			ref.APIVersion, ref.UID = "discovery.k8s.io/v1", f.Slice.UID
		}
		r.Events.Record(now.Wall, ref, corev1.EventTypeWarning, f.Reason, f.Message)
	}
	r.services.said = said
}

// serviceLinks are the variables about the Services of a pod's namespace, unless enableServiceLinks is off.
func (r *Runtime) serviceLinks(p *corev1.Pod) []env.Var {
	list := r.services.complete.Load()
	if list == nil || p.Spec.EnableServiceLinks != nil && !*p.Spec.EnableServiceLinks {
		return nil
	}
	var vars []env.Var
	for _, v := range service.Env(*list, p.Namespace) {
		vars = append(vars, env.Var{Name: v.Name, Value: v.Value})
	}
	return vars
}

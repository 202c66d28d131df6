package service

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// Kinds of the objects that Services are, and that are made of them.
const (
	Kind              = "Service"
	KindEndpointSlice = "EndpointSlice"
	kindEndpoints     = "Endpoints"
)

// Ports knows who else is on the machine's ports and addresses.
type Ports interface {
	// InUse says whether a process of the machine listens on a port of an address, or without one of any address that has
	// node ports.
	InUse(ip netip.Addr, p netns.Protocol, port uint16) bool
	// Overlaps are networks that the machine has routes to and whose addresses Services may get.
	Overlaps() []netip.Prefix
}

// Disk keeps what a later daemon needs.
type Disk interface {
	// Persist writes a value as JSON, away from the caller. what is named in the log if it fails.
	Persist(path string, value any, what string)
	// Restored reports that a file could not be read, and what is lost by it.
	Restored(err error, lost string)
}

// Syncer keeps the kernel's table, the name server and what the API shows in line with Services and pods. It belongs to the
// loop.
type Syncer struct {
	NodeName, ClusterDomain string
	PodCIDRs, ServiceCIDRs  []netip.Prefix
	// AllocationsFile has the addresses and node ports of Services, over reboots; ZoneFile what the name server was told,
	// until the next boot.
	AllocationsFile, ZoneFile string
	Objects                   *objects.Desired
	Store                     *objects.Store
	Ports                     Ports
	Disk                      Disk
	// Forward gives the kernel its table, SetZone the name server its names, HealthPorts podd itself the ports on which it
	// answers load balancers.
	Forward     func(netns.ServiceTable)
	SetZone     func(*dns.Zone)
	HealthPorts func([]HealthPort)
	RecordEvent func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log         *slog.Logger

	synced       bool                 // once
	current      bool                 // nothing that Services depend on has changed since the last time
	recheck      state.BootTime       // since boot; 0: nothing to look at again
	fingerprints map[types.UID]string // what of each pod Services depend on
	allocations  Allocations
	services     []*corev1.Service    // with their addresses
	generated    map[objects.Key]bool // shown beside what the folder has
	reported     map[string]bool      // problems
	zone         []byte               // as served
	zoneUnsaved  bool                 // it could not be saved
}

// recheckPorts is how long a Service waits for a port that a process has: nobody tells when it ends.
const recheckPorts = 15 * time.Second

// ReadAllocations takes over what an earlier daemon gave to Services.
func (s *Syncer) ReadAllocations() {
	s.allocations = Allocations{}
	if err := atomicfile.LoadJSON(s.AllocationsFile, &s.allocations, nil); err != nil {
		s.allocations = Allocations{}
		s.Disk.Restored(err, "addresses of Services are chosen anew, by their names")
	}
}

// MarkChanged says that something that Services depend on may have changed: an object, an address of the board.
func (s *Syncer) MarkChanged() { s.current = false }

// NotePod says how a pod is shown now. Services have to change if that is another one for them.
func (s *Syncer) NotePod(p *corev1.Pod) {
	ready := corev1.ConditionUnknown
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			ready = c.Status
		}
	}
	fingerprint := fmt.Sprint(p.Labels, p.Status.PodIPs, ready, p.DeletionTimestamp != nil, p.Status.Phase)
	if s.fingerprints[p.UID] == fingerprint {
		return
	}
	if s.fingerprints == nil {
		s.fingerprints = map[types.UID]string{}
	}
	s.fingerprints[p.UID], s.current = fingerprint, false
}

// ForgetPod says that a pod has gone.
func (s *Syncer) ForgetPod(uid types.UID) {
	if _, known := s.fingerprints[uid]; known {
		delete(s.fingerprints, uid)
		s.current = false
	}
}

// Due says whether there is something to sync.
func (s *Syncer) Due(now state.BootTime) bool {
	return !s.current || s.recheck != 0 && now >= s.recheck
}

// RecheckAt is when to look again though nothing changes (since boot); 0: never.
func (s *Syncer) RecheckAt() state.BootTime { return s.recheck }

// Synced says whether Sync has run.
func (s *Syncer) Synced() bool { return s.synced }

// Sync brings everything into line with the Services and pods of now. nodeIPs are the board's addresses.
func (s *Syncer) Sync(nodeIPs []netip.Addr, now state.Instant) {
	s.synced, s.current, s.recheck = true, true, 0
	pods, _ := s.Store.Pods()
	in := Input{
		NodeName: s.NodeName, NodeIPs: nodeIPs, Ranges: s.ServiceCIDRs, Kept: s.allocations, Pods: pods,
		InUse: s.Ports.InUse, Networks: s.Ports.Overlaps(),
	}
	for _, o := range s.Objects.List(Kind) {
		in.Services = append(in.Services, o.Value.(*corev1.Service))
	}
	for _, o := range s.Objects.List(KindEndpointSlice) {
		in.Slices = append(in.Slices, o.Value.(*discoveryv1.EndpointSlice))
	}
	out := Build(in)
	if out.Recheck {
		s.recheck = now.After(recheckPorts)
	}
	s.services = out.Services
	s.persistAllocations(out.Kept)
	s.syncZone(Zone{out.Names, out.PodNames})
	s.Forward(out.Table)
	s.HealthPorts(out.Health)
	s.publish(&out)
	s.reportProblems(out.Problems, now.Wall)
}

// Relieves says whether new connections through a Service to a pod that serves will go to others when it ends. Those of a
// headless Service find it by name, and are not led.
func (s *Syncer) Relieves(uid types.UID) bool {
	pods, _ := s.Store.Pods()
	i := slices.IndexFunc(pods, func(p *corev1.Pod) bool { return p.UID == uid })
	if i < 0 || !isReady(pods[i]) {
		return false
	}
	behind := func(v *corev1.Service, p *corev1.Pod) bool {
		return p.Namespace == v.Namespace && selects(v.Spec.Selector, p.Labels) && !ended(p)
	}
	for _, v := range s.services {
		if len(v.Spec.Selector) == 0 || v.Spec.ClusterIP == corev1.ClusterIPNone || !behind(v, pods[i]) {
			continue
		}
		if slices.ContainsFunc(pods, func(p *corev1.Pod) bool {
			return p.UID != uid && p.DeletionTimestamp == nil && isReady(p) && behind(v, p)
		}) {
			return true
		}
	}
	return false
}

// Env are the variables about the Services of a pod's namespace, unless enableServiceLinks is off.
func (s *Syncer) Env(p *corev1.Pod) []corev1.EnvVar {
	if p.Spec.EnableServiceLinks != nil && !*p.Spec.EnableServiceLinks {
		return nil
	}
	return Env(s.services, p.Namespace)
}

// persistAllocations keeps what Services were given, if that is news.
func (s *Syncer) persistAllocations(given Allocations) {
	before, err := json.Marshal(s.allocations)
	after, err2 := json.Marshal(given)
	s.allocations = given
	if err != nil || err2 != nil || string(before) != string(after) {
		s.Disk.Persist(s.AllocationsFile, given, "the addresses of Services")
	}
}

// publish shows what the folder does not say: addresses, status and endpoints.
func (s *Syncer) publish(out *Output) {
	for _, service := range out.Services {
		s.Store.SetObject(Kind, service)
	}
	generated := map[objects.Key]bool{}
	for _, slice := range out.Slices {
		key := objects.Key{Kind: KindEndpointSlice, Namespace: slice.Namespace, Name: slice.Name}
		if s.Objects.Get(key.Kind, key.Namespace, key.Name) == nil {
			generated[key] = true
			s.Store.SetObject(KindEndpointSlice, slice)
		}
	}
	for _, e := range out.Endpoints {
		generated[objects.Key{Kind: kindEndpoints, Namespace: e.Namespace, Name: e.Name}] = true
		s.Store.SetObject(kindEndpoints, e)
	}
	for key := range s.generated {
		if !generated[key] {
			s.Store.RemoveObject(key)
		}
	}
	s.generated = generated
}

// reportProblems makes an event of what is newly wrong with a Service.
func (s *Syncer) reportProblems(problems []Problem, now time.Time) {
	reported := map[string]bool{}
	for _, p := range problems {
		name := keyOf(p.Service)
		text := name + ": " + p.Message
		if reported[text] = true; s.reported[text] {
			continue
		}
		s.Log.Warn("a Service does not work as it is written", "service", name, "problem", p.Message)
		ref := objects.Key{Kind: Kind, Namespace: p.Service.Namespace, Name: p.Service.Name}.Reference()
		ref.UID = p.Service.UID
		if p.Slice != nil {
			ref = objects.Key{Kind: KindEndpointSlice, Namespace: p.Slice.Namespace, Name: p.Slice.Name}.Reference()
			ref.APIVersion, ref.UID = "discovery.k8s.io/v1", p.Slice.UID
		}
		s.RecordEvent(now, ref, corev1.EventTypeWarning, p.Reason, p.Message)
	}
	s.reported = reported
}

package service

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/netns"
	"podd/netns/dns"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
)

// world is all that a Syncer acts on.
type world struct {
	taken     uint16 // a port that a process has
	tables    []netns.ServiceTable
	zones     int
	persisted int
	lost      []string
	reasons   []string
}

func (w *world) InUse(_ netip.Addr, _ netns.Protocol, port uint16) bool {
	return port != 0 && port == w.taken
}
func (w *world) Overlaps() []netip.Prefix { return nil }
func (w *world) Persist(path string, value any, _ string) {
	w.persisted++
	data, _ := json.Marshal(value)
	_ = os.WriteFile(path, data, 0o600)
}

func (w *world) Restored(err error, lost string) {
	if !errors.Is(err, fs.ErrNotExist) {
		w.lost = append(w.lost, lost)
	}
}

func newSyncer(dir string) (*Syncer, *world) {
	w := &world{}
	s := &Syncer{
		NodeName: "n1", ClusterDomain: "cluster.local", ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.43.0.0/24")},
		PodCIDRs:        []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")},
		AllocationsFile: filepath.Join(dir, "services.json"), ZoneFile: filepath.Join(dir, "names.json"),
		Objects: &objects.Desired{Log: slog.New(slog.DiscardHandler)}, Store: objects.NewStore(), Ports: w, Disk: w,
		Forward: func(t netns.ServiceTable) { w.tables = append(w.tables, t) }, SetZone: func(*dns.Zone) { w.zones++ },
		HealthPorts: func([]HealthPort) {},
		RecordEvent: func(_ time.Time, ref corev1.ObjectReference, _, reason, _ string) {
			w.reasons = append(w.reasons, ref.Kind+" "+ref.Name+" "+reason)
		},
		Log: slog.New(slog.DiscardHandler),
	}
	s.ReadAllocations()
	return s, w
}

// serviceOf is a Service as it comes out of a manifest.
func serviceOf(name string, edit func(*corev1.ServiceSpec)) manifest.Object {
	v := &corev1.Service{}
	v.Namespace, v.Name, v.UID = "default", name, types.UID("uid-of-"+name)
	single := corev1.IPFamilyPolicySingleStack
	v.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": name}, IPFamilyPolicy: &single, SessionAffinity: corev1.ServiceAffinityNone,
		Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8080)}},
	}
	hash := "1"
	if edit != nil {
		edit(&v.Spec)
		hash = "2"
	}
	return manifest.Object{Kind: Kind, Namespace: "default", Name: name, Hash: hash, Value: v}
}

func podOf(app, ip string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: app + "-0", UID: "u-0", Labels: map[string]string{"app": app}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		},
	}
}

func (s *Syncer) show(p *corev1.Pod) {
	s.Store.SetPod(p, nil)
	s.NotePod(p)
}

func kinds(s *Syncer) (list []string) {
	for _, kind := range []string{Kind, KindEndpointSlice, kindEndpoints} {
		shown, _ := s.Store.Objects(kind)
		for range shown {
			list = append(list, kind)
		}
	}
	return list
}

var now = state.Instant{Wall: time.Unix(1_700_000_000, 0), Mono: state.BootTime(time.Hour)}

// Only what matters to Services makes them due again.
func TestDue(t *testing.T) {
	s, _ := newSyncer(t.TempDir())
	ip, again := "10.42.0.5", 0
	for i, step := range []struct {
		name   string
		change func()
		due    bool
	}{
		{"at the start", func() {}, true},
		{"nothing", func() {}, false},
		{"a pod", func() { s.NotePod(podOf("web", ip, "True")) }, true},
		{"the same pod with other conditions", func() {
			p := podOf("web", ip, "True")
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "Mine", Status: "True"})
			s.NotePod(p)
		}, false},
		{"not ready", func() { s.NotePod(podOf("web", ip, "False")) }, true},
		{"another address", func() { s.NotePod(podOf("web", "10.42.0.6", "False")) }, true},
		{"a pod that is unknown has gone", func() { s.ForgetPod("u-1") }, false},
		{"the pod has gone", func() { s.ForgetPod("u-0") }, true},
		{"it has gone twice", func() { s.ForgetPod("u-0") }, false},
		{"it is back", func() { s.NotePod(podOf("web", "10.42.0.6", "False")) }, true},
		{"told", func() { s.MarkChanged() }, true},
	} {
		step.change()
		if s.Due(now.Mono) != step.due {
			t.Errorf("step %d, %s: due: %t", i, step.name, !step.due)
		}
		if s.Synced() != (again > 0) {
			t.Errorf("step %d: synced: %t", i, s.Synced())
		}
		s.Sync(nil, now)
		again++
	}
}

// A Service is shown with its address and endpoints, forwarded, named and told to pods; what is made of it goes with it.
func TestSync(t *testing.T) {
	dir := t.TempDir()
	s, w := newSyncer(dir)
	s.Objects.Replace([]manifest.Object{serviceOf("web", nil)}, now.Wall)
	s.show(podOf("web", "10.42.0.5", "True"))
	s.Sync(nil, now)
	if got := kinds(s); !slices.Equal(got, []string{Kind, KindEndpointSlice, kindEndpoints}) {
		t.Errorf("shown: %v", got)
	}
	shown, _ := s.Store.Objects(Kind)
	ip := shown[0].(*corev1.Service).Spec.ClusterIP
	if !strings.HasPrefix(ip, "10.43.0.") || w.persisted != 1 || w.zones != 1 {
		t.Errorf("address %q, persisted %d times, %d zones", ip, w.persisted, w.zones)
	}
	if len(w.tables) != 1 || len(w.tables[0]) != 1 || w.tables[0][0].Endpoints[0].Addr.String() != "10.42.0.5:8080" {
		t.Errorf("forwarded: %+v", w.tables)
	}
	off := false
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default"}}
	if vars := s.Env(pod); len(vars) == 0 || vars[0].Name != "WEB_SERVICE_HOST" || vars[0].Value != ip {
		t.Errorf("variables: %v", vars)
	}
	if pod.Spec.EnableServiceLinks = &off; s.Env(pod) != nil {
		t.Error("variables that nobody wants")
	}
	// Nothing new: nothing is written or published.
	_, rv := s.Store.Objects(Kind)
	s.Sync(nil, now)
	if _, after := s.Store.Objects(Kind); after != rv || w.persisted != 1 || w.zones != 1 {
		t.Errorf("versions %d and %d, persisted %d times, %d zones", rv, after, w.persisted, w.zones)
	}
	// The next daemon serves the names before it knows a pod, and gives the same address.
	next, w2 := newSyncer(dir)
	zone := next.ReadZone()
	if zone == nil || len(zone.Services) != 1 || zone.Services[0].Name != "web" || zone.Services[0].Addrs[0].String() != ip {
		t.Fatalf("names of before: %+v", zone)
	}
	next.ServeZone(*zone)
	next.Objects.Replace([]manifest.Object{serviceOf("a", nil), serviceOf("web", nil)}, now.Wall)
	next.Sync(nil, now)
	for _, o := range next.services {
		if o.Name == "web" && o.Spec.ClusterIP != ip {
			t.Errorf("the address was %s and is %s", ip, o.Spec.ClusterIP)
		}
	}
	if w2.zones != 2 || len(w2.lost) != 0 {
		t.Errorf("%d zones, lost %v", w2.zones, w2.lost)
	}
	// The loop removes a Service that has gone, Sync what was made of it.
	s.Objects.Replace(nil, now.Wall)
	s.Store.RemoveObject(objects.Key{Kind: Kind, Namespace: "default", Name: "web"})
	s.Sync(nil, now)
	if got := kinds(s); len(got) != 0 || len(w.tables[len(w.tables)-1]) != 0 {
		t.Errorf("left: %v, %v", got, w.tables[len(w.tables)-1])
	}
}

// A problem is told once while it lasts, and again when it comes back; a port that a process has is looked at again.
func TestSyncReportsProblems(t *testing.T) {
	s, w := newSyncer(t.TempDir())
	node := serviceOf("web", func(spec *corev1.ServiceSpec) {
		spec.Type, spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080
	})
	s.Objects.Replace([]manifest.Object{node}, now.Wall)
	for i, step := range []struct {
		taken  uint16
		events int
	}{{30080, 1}, {30080, 1}, {0, 1}, {30080, 2}} {
		w.taken = step.taken
		s.Sync([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, now)
		if len(w.reasons) != step.events {
			t.Errorf("step %d: %q", i, w.reasons)
		}
		again := state.BootTime(0)
		if step.taken != 0 {
			again = now.After(15 * time.Second)
		}
		if s.RecheckAt() != again || s.Due(now.Mono) || s.Due(now.After(15*time.Second)) != (again != 0) {
			t.Errorf("step %d: looked at again at %s", i, s.RecheckAt())
		}
	}
	if len(w.reasons) == 0 || w.reasons[0] != "Service web PortTaken" {
		t.Errorf("events: %q", w.reasons)
	}
}

// Files that cannot be believed cost addresses and names, and are told of.
func TestSyncAfterDamage(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"services.json", "names.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("rust"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, w := newSyncer(dir)
	if s.ReadZone() != nil || len(w.lost) != 2 {
		t.Errorf("lost: %q", w.lost)
	}
	s.Objects.Replace([]manifest.Object{serviceOf("web", nil)}, now.Wall)
	s.Sync(nil, now)
	if len(s.services) != 1 || s.services[0].Spec.ClusterIP == "" || w.zones != 1 {
		t.Errorf("Services %v, %d zones", s.services, w.zones)
	}
}

// A pod is relieved by another one that serves behind the same Service, and is led to.
func TestRelieves(t *testing.T) {
	s, _ := newSyncer(t.TempDir())
	web := func(name string, ready corev1.ConditionStatus) *corev1.Pod {
		p := podOf("web", "10.42.0.5", ready)
		p.Name, p.UID = name, types.UID(name)
		return p
	}
	expect := func(what string, want bool) {
		t.Helper()
		if got := s.Relieves("a"); got != want {
			t.Errorf("%s: %t", what, got)
		}
	}
	services := func(list ...manifest.Object) {
		s.Objects.Replace(list, now.Wall)
		s.Sync(nil, now)
	}
	services(serviceOf("web", nil))
	expect("no such pod", false)
	s.show(web("a", "True"))
	expect("alone", false)
	s.show(web("b", "False"))
	expect("the other does not serve", false)
	s.show(web("b", "True"))
	expect("two", true)
	s.show(web("a", "False"))
	expect("nobody is led to one that does not serve", false)
	s.show(web("a", "True"))
	services(serviceOf("web", func(v *corev1.ServiceSpec) { v.ClusterIP, v.ClusterIPs = "None", []string{"None"} }))
	expect("headless", false)
	services(serviceOf("other", nil))
	expect("of another Service", false)
	services(serviceOf("other", nil), serviceOf("web", nil))
	expect("of two Services", true)
	ending := web("b", "True")
	ending.DeletionTimestamp = &metav1.Time{Time: now.Wall}
	s.show(ending)
	expect("the other ends, too", false)
}

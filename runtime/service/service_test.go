package service

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"podd/netns"
)

var ranges = []netip.Prefix{netip.MustParsePrefix("10.211.0.0/28"), netip.MustParsePrefix("fd00:11::/112")}

func svc(name string, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: "u-" + "x"}}
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.Selector = map[string]string{"app": name}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromString("web")}}
	for _, f := range change {
		f(s)
	}
	return s
}

func pod(name, app, ip string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": app}}}
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
	p.Status.Phase = corev1.PodRunning
	p.Status.PodIPs = []corev1.PodIP{{IP: ip}, {IP: "fd00:10::" + ip[strings.LastIndex(ip, ".")+1:]}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, f := range change {
		f(p)
	}
	return p
}

func unready(p *corev1.Pod)     { p.Status.Conditions[0].Status = corev1.ConditionFalse }
func terminating(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
func done(p *corev1.Pod)        { p.Status.Phase = corev1.PodSucceeded }

func build(services []*corev1.Service, pods ...*corev1.Pod) Output {
	return Build(Input{Services: services, Pods: pods, NodeName: "board", NodeIPs: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}, Ranges: ranges})
}

func reasons(out Output) (list []string) {
	for _, f := range out.Problems {
		list = append(list, f.Service.Name+" "+f.Reason)
	}
	return list
}

func TestReadyPodsAreBehindAService(t *testing.T) {
	out := build([]*corev1.Service{svc("web")},
		pod("a", "web", "10.210.0.2"), pod("b", "web", "10.210.0.3", unready), pod("c", "web", "10.210.0.4", terminating),
		pod("d", "web", "10.210.0.5", done), pod("e", "other", "10.210.0.6"),
		pod("f", "web", "10.210.0.7", func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].ContainerPort = 9090 }),
		pod("g", "web", "10.210.0.8", func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }))
	if len(out.Table) != 1 || len(out.Problems) != 0 {
		t.Fatalf("table %+v, problems %v", out.Table, reasons(out))
	}
	var got []string
	for _, e := range out.Table[0].Endpoints {
		if !e.Terminating {
			got = append(got, e.Addr.String())
		}
	}
	if want := []string{"10.210.0.2:8080", "10.210.0.7:9090"}; !slices.Equal(got, want) {
		t.Errorf("forwarded to %v, want %v", got, want)
	}
	states := map[string]string{}
	for _, s := range out.Slices {
		for _, e := range s.Endpoints {
			states[e.TargetRef.Name] = fmt.Sprint(*e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating)
		}
	}
	want := map[string]string{"a": "true true false", "b": "false false false", "c": "false true true", "f": "true true false", "g": "true true false"}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("slices say %v, want %v", states, want)
	}
	if len(out.Slices) != 3 {
		t.Errorf("%d slices for three sets of ports", len(out.Slices))
	}
}

func TestPublishNotReadyAddresses(t *testing.T) {
	out := build([]*corev1.Service{svc("db", func(s *corev1.Service) {
		s.Spec.ClusterIP, s.Spec.PublishNotReadyAddresses = "None", true
	})}, pod("a", "db", "10.210.0.2", unready, func(p *corev1.Pod) { p.Spec.Hostname, p.Spec.Subdomain = "db-0", "db" }))
	if len(out.Table) != 0 || len(out.Names) != 1 || len(out.Names[0].Endpoints) != 1 || out.Names[0].Endpoints[0].Hostname != "db-0" {
		t.Fatalf("%+v", out)
	}
	if out.Slices[0].Labels[corev1.IsHeadlessService] != "" || *out.Slices[0].Endpoints[0].Hostname != "db-0" {
		t.Errorf("%+v", out.Slices[0])
	}
}

func TestAddressesAreStable(t *testing.T) {
	dual := corev1.IPFamilyPolicyPreferDualStack
	services := []*corev1.Service{svc("a"), svc("b", func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &dual }), svc("c")}
	first := build(services)
	if got := first.Services[1].Spec.ClusterIPs; len(got) != 2 || !strings.HasPrefix(got[0], "10.211.") || !strings.HasPrefix(got[1], "fd00:11::") {
		t.Errorf("two families: %v", got)
	}
	if again := build(services); fmt.Sprint(again.Kept) != fmt.Sprint(first.Kept) {
		t.Errorf("not the same by name alone: %v and %v", first.Kept, again.Kept)
	}
	// Somebody takes the address of c by hand: c has to move, and the others stay.
	taken := first.Services[2].Spec.ClusterIP
	thief := svc("thief", func(s *corev1.Service) { s.Spec.ClusterIP = taken })
	in := Input{Services: append([]*corev1.Service{thief}, services...), Ranges: ranges, Kept: first.Kept}
	second := Build(in)
	if second.Services[0].Spec.ClusterIP != taken || second.Services[3].Spec.ClusterIP == taken || second.Services[3].Spec.ClusterIP == "" {
		t.Errorf("thief %s, c %s", second.Services[0].Spec.ClusterIP, second.Services[3].Spec.ClusterIP)
	}
	for i := range 2 {
		if second.Services[i+1].Spec.ClusterIP != first.Services[i].Spec.ClusterIP {
			t.Errorf("%s has moved", first.Services[i].Name)
		}
	}
	// What is kept wins over what the name would give.
	kept := Allocations{"default/a": {ClusterIPs: []netip.Addr{netip.MustParseAddr("10.211.0.9")}}}
	if out := Build(Input{Services: services[:1], Ranges: ranges, Kept: kept}); out.Services[0].Spec.ClusterIP != "10.211.0.9" {
		t.Errorf("got %s", out.Services[0].Spec.ClusterIP)
	}
}

func TestRangeIsUsedToItsEnd(t *testing.T) {
	var services []*corev1.Service
	for i := range 15 {
		services = append(services, svc(fmt.Sprintf("s%d", i)))
	}
	out := build(services)
	seen := map[string]bool{}
	for _, s := range out.Services {
		seen[s.Spec.ClusterIP] = true
	}
	// A /28 has 14 addresses beside the first and the last.
	if len(seen) != 15 || !seen[""] || len(out.Table) != 14 || !slices.Equal(reasons(out), []string{"s14 ClusterIPNotAllocated"}) {
		t.Errorf("%d addresses, problems %v", len(seen), reasons(out))
	}
}

func TestProblemsAreAlone(t *testing.T) {
	require, lb := corev1.IPFamilyPolicyRequireDualStack, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer }
	for name, c := range map[string]struct {
		bad  *corev1.Service
		want string
	}{
		"given twice":   {svc("bad", func(s *corev1.Service) { s.Spec.ClusterIP = "10.211.0.3" }), "ClusterIPAlreadyAllocated"},
		"elsewhere":     {svc("bad", func(s *corev1.Service) { s.Spec.ClusterIP = "10.0.0.3" }), "ClusterIPOutOfRange"},
		"the network":   {svc("bad", func(s *corev1.Service) { s.Spec.ClusterIP = "10.211.0.0" }), "ClusterIPOutOfRange"},
		"port twice":    {svc("bad", func(s *corev1.Service) { s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, 30080 }), "PortAlreadyAllocated"},
		"no endpoints":  {svc("bad", func(s *corev1.Service) { s.Spec.Selector = nil }), "NoEndpoints"},
		"balancer":      {svc("bad", lb), "PortTaken"},
		"not our LB IP": {svc("bad", lb, func(s *corev1.Service) { s.Spec.LoadBalancerIP = "192.0.2.99" }), "LoadBalancerIPNotOurs"},
	} {
		good := svc("good", lb, func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.Ports[0].NodePort = "10.211.0.3", 30080 })
		out := build([]*corev1.Service{good, c.bad}, pod("a", "good", "10.210.0.2"))
		if got := reasons(out); len(got) == 0 || got[0] != "bad "+c.want {
			t.Errorf("%s: problems %v", name, got)
		}
		if len(out.Table) == 0 || len(out.Table[0].Endpoints) != 1 || len(out.Table[0].External) != 1 || out.Table[0].NodePort != 30080 {
			t.Errorf("%s: the good one has %+v", name, out.Table)
		}
	}
	only4 := Build(Input{Services: []*corev1.Service{svc("bad", func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &require })}, Ranges: ranges[:1]})
	if got := reasons(only4); !slices.Equal(got, []string{"bad IPFamilyNotAvailable"}) {
		t.Errorf("problems %v", got)
	}
}

func TestSlicesWrittenByHand(t *testing.T) {
	name, n, protocol := "http", int32(9000), corev1.ProtocolTCP
	s := svc("ext", func(s *corev1.Service) { s.Spec.Selector = nil })
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "x", Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: "ext"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &n, Protocol: &protocol}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.50"}}, {Addresses: []string{"192.0.2.7"}}},
	}
	out := Build(Input{Services: []*corev1.Service{s}, Slices: []*discoveryv1.EndpointSlice{slice}, Ranges: ranges, NodeIPs: []netip.Addr{netip.MustParseAddr("192.0.2.7")}})
	e := out.Table[0].Endpoints
	if len(e) != 2 || e[0].Addr.String() != "192.0.2.50:9000" || !e[0].Remote || e[1].Remote || len(out.Slices) != 1 || len(out.Problems) != 0 {
		t.Errorf("%+v, problems %v", out, reasons(out))
	}
}

func TestLoadBalancerAndPolicies(t *testing.T) {
	local := corev1.ServiceInternalTrafficPolicyLocal
	out := build([]*corev1.Service{svc("web", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.InternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, &local
		s.Spec.ExternalTrafficPolicy, s.Spec.SessionAffinity = corev1.ServiceExternalTrafficPolicyLocal, corev1.ServiceAffinityClientIP
		s.Spec.ExternalIPs = []string{"198.51.100.1"}
	})})
	p := out.Table[0]
	if p.NodePort < firstNodePort || !p.InternalLocal || !p.ExternalLocal || p.Affinity != 3*time.Hour || fmt.Sprint(p.External) != "[198.51.100.1 192.0.2.7]" {
		t.Errorf("%+v", p)
	}
	if in := out.Services[0].Status.LoadBalancer.Ingress; len(in) != 1 || in[0].IP != "192.0.2.7" {
		t.Errorf("ingress %v", in)
	}
}

func TestEnv(t *testing.T) {
	out := build([]*corev1.Service{
		svc("redis-primary", func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.Ports[0].Port = "10.211.0.11", 6379 }),
		svc("none", func(s *corev1.Service) { s.Spec.ClusterIP = "None" }),
	})
	var got []string
	for _, v := range Env(out.Services, "default") {
		got = append(got, v.Name+"="+v.Value)
	}
	want := `REDIS_PRIMARY_SERVICE_HOST=10.211.0.11
REDIS_PRIMARY_SERVICE_PORT=6379
REDIS_PRIMARY_SERVICE_PORT_HTTP=6379
REDIS_PRIMARY_PORT=tcp://10.211.0.11:6379
REDIS_PRIMARY_PORT_6379_TCP=tcp://10.211.0.11:6379
REDIS_PRIMARY_PORT_6379_TCP_PROTO=tcp
REDIS_PRIMARY_PORT_6379_TCP_PORT=6379
REDIS_PRIMARY_PORT_6379_TCP_ADDR=10.211.0.11`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if other := Env(out.Services, "other"); len(other) != 0 {
		t.Errorf("another namespace has %v", other)
	}
}

// Terminating pods that still serve are for those who have no other, and DNS does not name them. KEP-1669
func TestTerminatingPodsAreTheLastResort(t *testing.T) {
	out := build([]*corev1.Service{svc("web"), svc("db", func(s *corev1.Service) { s.Spec.ClusterIP = "None" })},
		pod("a", "web", "10.210.0.2", terminating), pod("b", "web", "10.210.0.3", terminating, unready), pod("c", "web", "10.210.0.4"),
		pod("d", "db", "10.210.0.5", terminating))
	var got []string
	for _, e := range out.Table[0].Endpoints {
		got = append(got, fmt.Sprint(e.Addr, " ", e.Terminating))
	}
	if want := []string{"10.210.0.2:8080 true", "10.210.0.4:8080 false"}; !slices.Equal(got, want) {
		t.Errorf("forwarded to %v, want %v", got, want)
	}
	if n := len(out.Names[1].Endpoints); n != 0 {
		t.Errorf("DNS names %d terminating pods", n)
	}
	published := build([]*corev1.Service{svc("web", func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = true })}, pod("a", "web", "10.210.0.2", terminating, unready))
	if e := published.Table[0].Endpoints; len(e) != 1 || e[0].Terminating {
		t.Errorf("published: %v", e)
	}
	if c := published.Slices[0].Endpoints[0].Conditions; !*c.Ready || *c.Serving || !*c.Terminating {
		t.Errorf("published: ready %v, serving %v, terminating %v", *c.Ready, *c.Serving, *c.Terminating)
	}
}

// What a slice of names means nobody has defined; kube-proxy leaves it out.
func TestSlicesOfNamesAreSentences(t *testing.T) {
	named := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeFQDN, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"db.example"}}}}
	named.Namespace, named.Name, named.Labels = "default", "names", map[string]string{discoveryv1.LabelServiceName: "db"}
	s := svc("db", func(s *corev1.Service) { s.Spec.Selector = nil })
	out := Build(Input{Services: []*corev1.Service{s}, Slices: []*discoveryv1.EndpointSlice{named}, Ranges: ranges})
	if got := reasons(out); !slices.Equal(got, []string{"db FQDNNotForwarded"}) || out.Problems[0].Slice != named {
		t.Errorf("problems %v", got)
	}
	if len(out.Table[0].Endpoints) != 0 {
		t.Errorf("forwarded to %v", out.Table[0].Endpoints)
	}
}

func external(ip string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.ExternalIPs = []string{ip} }
}

func nodePort(n int32) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, n
	}
}

// Ports of the board that a pod or a process has stay theirs; the Service has its other addresses.
func TestPortsOfOthers(t *testing.T) {
	balanced := func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer }
	port := func(host int32, ip string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: host, HostPort: host, HostIP: ip})
		}
	}
	out := Build(Input{
		Services: []*corev1.Service{
			svc("process", nodePort(30001)), svc("pod", nodePort(30002)), svc("local", nodePort(30003)), svc("lb", balanced), svc("far", external("198.51.100.7")),
			svc("own", external("192.0.2.7"), func(s *corev1.Service) { s.Spec.Ports[0].Port = 8080 }),
		},
		Pods: []*corev1.Pod{
			pod("a", "x", "10.210.0.2", port(30002, ""), port(30003, "127.0.0.1"), port(80, "192.0.2.7")),
			pod("gone", "x", "10.210.0.3", port(30001, ""), done),
			pod("host", "own", "192.0.2.7", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, port(8080, "")),
		},
		NodeIPs: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}, Ranges: ranges,
		InUse: func(ip netip.Addr, p netns.Protocol, port uint16) bool {
			return port == 30001 && !ip.IsValid() && p == netns.TCP
		},
	})
	want := []string{"process PortTaken", "pod PortTaken", "lb PortTaken"}
	if got := reasons(out); !slices.Equal(got, want) || !out.Recheck {
		t.Errorf("problems %v, want %v; recheck %t", got, want, out.Recheck)
	}
	for i, want := range []string{
		"node port 30001/TCP is used by a process of this machine, which keeps it; change the port of one of them",
		"node port 30002/TCP is a host port of pod default/a, which keeps it; change the port of one of them",
		"192.0.2.7 port 80/TCP is a host port of pod default/a, which keeps it; change the port of one of them",
	} {
		if got := out.Problems[i].Message; got != want {
			t.Errorf("problem %q, want %q", got, want)
		}
	}
	ports := map[string]string{}
	for _, p := range out.Table {
		ports[p.Name] = fmt.Sprintf("%d%v", p.NodePort, p.External)
	}
	for name, want := range map[string]string{"process": "0[]", "pod": "0[]", "local": "30003[]", "far": "0[198.51.100.7]"} {
		if got := ports["default/"+name+":TCP/80"]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := ports["default/own:TCP/8080"]; got != "0[]" {
		t.Errorf("a pod on the host's network, which answers there itself: %s", got)
	}
}

func TestNetworksOfTheMachine(t *testing.T) {
	out := Build(Input{Services: []*corev1.Service{svc("a"), svc("b", func(s *corev1.Service) { s.Spec.ClusterIP = "None" })}, Ranges: ranges, Networks: []netip.Prefix{netip.MustParsePrefix("10.211.0.0/24")}})
	if got := reasons(out); !slices.Equal(got, []string{"a ClusterIPOnHostNetwork"}) || len(out.Table[0].ClusterIPs) != 1 {
		t.Errorf("%v", got)
	}
}

func TestExternalNameThatIsAnAddress(t *testing.T) {
	out := build([]*corev1.Service{svc("a", func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "192.0.2.9"
	})})
	if got := reasons(out); !slices.Equal(got, []string{"a ExternalNameIsAddress"}) || out.Names[0].External != "192.0.2.9" {
		t.Errorf("%v", got)
	}
}

// Ports for the health of Services are node ports of their own, given or chosen, and go with the policy.
func TestHealthPorts(t *testing.T) {
	local := func(port int32) func(*corev1.Service) {
		return func(s *corev1.Service) {
			s.Spec.Type, s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal, port
		}
	}
	services := []*corev1.Service{svc("a", local(0)), svc("b", local(31000)), svc("c", local(31000)), svc("d", nodePort(30001))}
	for i, s := range services {
		s.Spec.Ports[0].Port = int32(80 + i)
	}
	out := build(services, pod("p", "a", "10.210.0.2"), pod("q", "a", "10.210.0.3", terminating), pod("r", "b", "10.210.0.4", terminating))
	if got := reasons(out); !slices.Equal(got, []string{"c PortAlreadyAllocated"}) || len(out.Health) != 2 {
		t.Fatalf("problems %v, ports %+v", got, out.Health)
	}
	a, b := out.Health[0], out.Health[1]
	if a.Name != "a" || a.Local != 1 || a.Port < firstNodePort || b.Port != 31000 || b.Local != 0 || int32(a.Port) != out.Services[0].Spec.HealthCheckNodePort {
		t.Errorf("%+v", out.Health)
	}
	again := Build(Input{Services: services, Ranges: ranges, Kept: out.Kept})
	if again.Health[0].Port != a.Port {
		t.Errorf("the port was %d and is %d", a.Port, again.Health[0].Port)
	}
	services[0].Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	if over := Build(Input{Services: services[:1], Ranges: ranges, Kept: out.Kept}); len(over.Health) != 0 || over.Services[0].Spec.HealthCheckNodePort != 0 {
		t.Errorf("%+v", over.Health)
	}
}

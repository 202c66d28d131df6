package dns

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func testZone(t testing.TB) *Zone {
	t.Helper()
	z, err := NewZone("cluster.local", []netip.Prefix{netip.MustParsePrefix("10.210.0.0/22"), netip.MustParsePrefix("fd00:10::/64")}, []Service{
		{Namespace: "default", Name: "web", Addrs: addrs("10.211.0.5", "fd00:11::5"), Ports: []Port{{"http", "TCP", 80}, {"", "TCP", 81}}},
		{Namespace: "default", Name: "db", Endpoints: []Endpoint{
			{Addrs: addrs("10.210.0.7"), Hostname: "db-0", Ports: []Port{{"sql", "TCP", 5432}}},
			{Addrs: addrs("10.210.0.8"), Ports: []Port{{"sql", "TCP", 5432}}},
		}},
		{Namespace: "default", Name: "none"},
		{Namespace: "shop", Name: "out", External: "www.example.com"},
		{Namespace: "shop", Name: "in", External: "web.default.svc.cluster.local"},
		{Namespace: "shop", Name: "loop", External: "loop.shop.svc.cluster.local"},
	}, []Pod{{"default", addrs("10.210.0.9", "fd00:10::9")}})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestZone(t *testing.T) {
	s := New(Options{})
	s.SetZone(testZone(t))
	for _, c := range []struct {
		name  string
		typ   dnsmessage.Type
		want  string
		rcode dnsmessage.RCode
	}{
		{"web.default.svc.cluster.local.", dnsmessage.TypeA, "A 10.211.0.5", 0},
		{"WEB.Default.svc.CLUSTER.local.", dnsmessage.TypeA, "A 10.211.0.5", 0},
		{"web.default.svc.cluster.local.", dnsmessage.TypeAAAA, "AAAA fd00:11::5", 0},
		{"web.default.svc.cluster.local.", dnsmessage.TypeMX, "", 0},
		{"web.default.svc.cluster.local.", dnsmessage.TypeALL, "A 10.211.0.5,AAAA fd00:11::5", 0},
		{"_http._tcp.web.default.svc.cluster.local.", dnsmessage.TypeSRV, "SRV web.default.svc.cluster.local.", 0},
		{"_tcp.web.default.svc.cluster.local.", dnsmessage.TypeSRV, "", 0},
		{"_https._tcp.web.default.svc.cluster.local.", dnsmessage.TypeSRV, "", dnsmessage.RCodeNameError},
		{"db.default.svc.cluster.local.", dnsmessage.TypeA, "A 10.210.0.7,A 10.210.0.8", 0},
		{"db.default.svc.cluster.local.", dnsmessage.TypeAAAA, "", 0},
		{"db-0.db.default.svc.cluster.local.", dnsmessage.TypeA, "A 10.210.0.7", 0},
		{"10-210-0-8.db.default.svc.cluster.local.", dnsmessage.TypeA, "A 10.210.0.8", 0},
		{"_sql._tcp.db.default.svc.cluster.local.", dnsmessage.TypeSRV, "SRV 10-210-0-8.db.default.svc.cluster.local.,SRV db-0.db.default.svc.cluster.local.", 0},
		{"none.default.svc.cluster.local.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"web.shop.svc.cluster.local.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"example.com.default.svc.cluster.local.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"web.default.svc.cluster.local.lan.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"10-210-0-9.default.pod.cluster.local.corp.example.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"default.svc.cluster.local.", dnsmessage.TypeA, "", 0},
		{"svc.cluster.local.", dnsmessage.TypeA, "", 0},
		{"cluster.local.", dnsmessage.TypeA, "", 0},
		{"in.shop.svc.cluster.local.", dnsmessage.TypeA, "A 10.211.0.5,CNAME web.default.svc.cluster.local.", 0},
		{"out.shop.svc.cluster.local.", dnsmessage.TypeCNAME, "CNAME www.example.com.", 0},
		{"10-210-0-9.default.pod.cluster.local.", dnsmessage.TypeA, "A 10.210.0.9", 0},
		{"fd00-10--9.default.pod.cluster.local.", dnsmessage.TypeAAAA, "AAAA fd00:10::9", 0},
		{"10-210-0-10.default.pod.cluster.local.", dnsmessage.TypeA, "", dnsmessage.RCodeNameError},
		{"5.0.211.10.in-addr.arpa.", dnsmessage.TypePTR, "PTR web.default.svc.cluster.local.", 0},
		{"7.0.210.10.in-addr.arpa.", dnsmessage.TypePTR, "PTR db-0.db.default.svc.cluster.local.", 0},
		{"200.0.210.10.in-addr.arpa.", dnsmessage.TypePTR, "", dnsmessage.RCodeNameError},
		{"dns-version.cluster.local.", dnsmessage.TypeTXT, "TXT 1.1.0", 0},
	} {
		var q query
		out, later := s.quick(&q, ask(t, c.name, c.typ), nil, 0)
		if later || out == nil {
			t.Errorf("%s %s: the zone has no answer", c.name, c.typ)
			continue
		}
		m := unpack(t, out)
		if got := strings.Join(words(m), ","); got != c.want || m.RCode != c.rcode {
			t.Errorf("%s %s: got %q %s, want %q %s", c.name, c.typ, got, m.RCode, c.want, c.rcode)
		}
		if c.want == "" && (len(m.Authorities) != 1 || m.Authorities[0].Header.Type != dnsmessage.TypeSOA) {
			t.Errorf("%s %s: nothing says for how long it is not there: %v", c.name, c.typ, m.Authorities)
		}
		if !m.Authoritative || !m.Response || m.ID != 4711 || m.Questions[0].Name.String() != c.name {
			t.Errorf("%s: header %+v", c.name, m.Header)
		}
	}
}

func TestZoneAliasLoopEnds(t *testing.T) {
	var q query
	if q.parse(ask(t, "loop.shop.svc.cluster.local.", dnsmessage.TypeA)) != 0 {
		t.Fatal("not parsed")
	}
	out, elsewhere := testZone(t).answer(&q, nil)
	if m := unpack(t, out); elsewhere != nil || len(m.Answers) != maxAliases {
		t.Errorf("elsewhere %q, answers %v", elsewhere, m.Answers)
	}
}

func TestAddressesTakeTurns(t *testing.T) {
	z, first := testZone(t), map[string]bool{}
	for range 100 {
		var q query
		q.parse(ask(t, "db.default.svc.cluster.local.", dnsmessage.TypeA))
		out, _ := z.answer(&q, nil)
		first[unpack(t, out).Answers[0].Body.GoString()] = true
	}
	if len(first) != 2 {
		t.Errorf("the same address is always first: %v", first)
	}
}

func TestReverseNames(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "255.254.0.9", "::", "fd00:10::1:abcd"} {
		ip := netip.MustParseAddr(s)
		if got, ok := parseReverse(reverseName(ip)); !ok || got != ip {
			t.Errorf("%s came back as %s, %v", ip, got, ok)
		}
	}
	for _, name := range []string{"1.2.3.in-addr.arpa", "256.2.3.4.in-addr.arpa", "a.2.3.4.in-addr.arpa", "9.1.2.3.4.in-addr.arpa", "1.ip6.arpa", "example.com"} {
		wire, err := wireName(name)
		if err != nil {
			t.Fatal(err)
		}
		if ip, ok := parseReverse(wire); ok {
			t.Errorf("%s is said to be %s", name, ip)
		}
	}
}

func TestBadNamesAreLeftOut(t *testing.T) {
	long := strings.Repeat("x", 64)
	z, err := NewZone("cluster.local", nil, []Service{
		{Namespace: "default", Name: long, Addrs: addrs("10.0.0.1")},
		{Namespace: "default", Name: "ok", Addrs: addrs("10.0.0.2")},
	}, nil)
	if err == nil || z == nil {
		t.Fatalf("zone %v, error %v", z, err)
	}
	wire, _ := wireName("ok.default.svc.cluster.local")
	if e := z.names[string(wire)]; e == nil || !slices.Equal(e.addrs, addrs("10.0.0.2")) {
		t.Errorf("a good name is lost with a bad one: %+v", e)
	}
	if _, err := NewZone("cluster..local", nil, nil, nil); err == nil {
		t.Error("a domain with an empty label is taken")
	}
}

// What is somebody else's to answer goes to them.
func TestNamesOfOthers(t *testing.T) {
	s := New(Options{})
	s.SetZone(testZone(t))
	for _, name := range []string{"example.com.", "cluster.local.lan.", "svc.cluster.locals.", "mysvc.cluster.local.lan.", "svc.cluster.", "local.", "."} {
		var q query
		if out, later := s.quick(&q, ask(t, name, dnsmessage.TypeA), nil, 0); !later {
			t.Errorf("%s: %v", name, out)
		}
	}
}

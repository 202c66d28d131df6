package dns

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var loopback = Options{Clients: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

func TestForwardAndCache(t *testing.T) {
	up := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		return addressAnswer(q, 300, [4]byte{192, 0, 2, 1})
	})
	_, server := served(t, loopback, up.addr)
	for _, name := range []string{"example.com.", "EXAMPLE.com."} {
		m := exchange(t, server, ask(t, name, dnsmessage.TypeA))
		if got := strings.Join(words(m), ","); got != "A 192.0.2.1" || m.Questions[0].Name.String() != name || m.Authoritative || !m.RecursionAvailable {
			t.Errorf("%s: %q, %+v", name, got, m)
		}
	}
	if n := up.asked.Load(); n != 1 {
		t.Errorf("the second answer is not from the cache: %d questions", n)
	}
}

func TestNegativeAnswersAreKept(t *testing.T) {
	up := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		return &dnsmessage.Message{
			Header: dnsmessage.Header{RCode: dnsmessage.RCodeNameError},
			Authorities: []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("com."), Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: 900},
				Body:   &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("a."), MBox: dnsmessage.MustNewName("b."), MinTTL: 60},
			}},
		}
	})
	_, server := served(t, loopback, up.addr)
	for range 2 {
		if m := exchange(t, server, ask(t, "nothing.com.", dnsmessage.TypeA)); m.RCode != dnsmessage.RCodeNameError || len(m.Authorities) != 1 {
			t.Errorf("got %+v", m)
		}
	}
	if n := up.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestSilentServerIsPassedOver(t *testing.T) {
	silent := newUpstream(t, func(dnsmessage.Question, bool) *dnsmessage.Message { return nil })
	failing := newUpstream(t, func(dnsmessage.Question, bool) *dnsmessage.Message {
		return &dnsmessage.Message{Header: dnsmessage.Header{RCode: dnsmessage.RCodeServerFailure}}
	})
	good := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		return addressAnswer(q, 0, [4]byte{192, 0, 2, 2})
	})
	_, server := served(t, loopback, silent.addr, failing.addr, good.addr)
	for range 2 {
		if m := exchange(t, server, ask(t, "example.com.", dnsmessage.TypeA)); len(m.Answers) != 1 {
			t.Errorf("got %+v", m)
		}
	}
	if a, b := silent.asked.Load(), good.asked.Load(); a != 1 || b != 2 {
		t.Errorf("the silent server was asked %d times, the good one %d", a, b)
	}
}

func TestStaleAnswersWithoutUplink(t *testing.T) {
	up := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		return addressAnswer(q, 300, [4]byte{192, 0, 2, 3})
	})
	s, server := served(t, loopback, up.addr)
	exchange(t, server, ask(t, "example.com.", dnsmessage.TypeA))
	s.SetServers(nil) // no uplink: what is kept is stale from now on
	for range 2 {
		m := exchange(t, server, ask(t, "example.com.", dnsmessage.TypeA))
		if len(m.Answers) != 1 || m.Answers[0].Header.TTL != 30 {
			t.Errorf("got %+v", m)
		}
	}
	if m := exchange(t, server, ask(t, "unknown.com.", dnsmessage.TypeA)); m.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("a name that nobody knows: %s", m.RCode)
	}
	s.SetServers([]netip.AddrPort{up.addr})
	if m := exchange(t, server, ask(t, "example.com.", dnsmessage.TypeA)); len(m.Answers) != 1 || m.Answers[0].Header.TTL != 300 {
		t.Errorf("not fresh again: %+v", m)
	}
}

func TestLongAnswersGoByTCP(t *testing.T) {
	var many [][4]byte
	for i := range 100 {
		many = append(many, [4]byte{192, 0, 2, byte(i)})
	}
	up := newUpstream(t, func(q dnsmessage.Question, tcp bool) *dnsmessage.Message {
		if !tcp {
			m := addressAnswer(q, 300, many[:3]...)
			m.Truncated = true
			return m
		}
		return addressAnswer(q, 300, many...)
	})
	_, server := served(t, loopback, up.addr)
	request := ask(t, "many.com.", dnsmessage.TypeA)
	plain, extended := exchange(t, server, request), exchange(t, server, withEDNS(t, request, 4096))
	if !plain.Truncated || len(plain.Answers) == 0 || len(plain.Additionals) != 0 {
		t.Errorf("without EDNS: truncated %v, %d answers", plain.Truncated, len(plain.Answers))
	}
	if !extended.Truncated || len(extended.Answers) <= len(plain.Answers) || len(extended.Additionals) != 1 {
		t.Errorf("with EDNS: truncated %v, %d answers", extended.Truncated, len(extended.Answers))
	}
	msg, err := askTCP(t.Context(), server, request)
	if err != nil {
		t.Fatal(err)
	}
	if m := unpack(t, msg); m.Truncated || len(m.Answers) != 100 {
		t.Errorf("by TCP: truncated %v, %d answers", m.Truncated, len(m.Answers))
	}
}

func TestSameQuestionsGoOutOnce(t *testing.T) {
	const clients = 20
	arrived := make(chan struct{})
	up := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		<-arrived
		return addressAnswer(q, 300, [4]byte{192, 0, 2, 4})
	})
	s, server := served(t, loopback, up.addr)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { exchange(t, server, ask(t, "slow.com.", dnsmessage.TypeA)) })
	}
	for deadline := time.Now().Add(10 * time.Second); s.waiting.Taken() < clients && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(arrived)
	all.Wait()
	// A question that waits longer than a second is put again, but never once for each client.
	if n := up.asked.Load(); n > 3 {
		t.Errorf("asked %d times", n)
	}
}

func TestAliasElsewhereIsFollowed(t *testing.T) {
	up := newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
		return addressAnswer(q, 300, [4]byte{192, 0, 2, 5})
	})
	s, server := served(t, loopback, up.addr)
	s.SetZone(testZone(t))
	m := exchange(t, server, ask(t, "out.shop.svc.cluster.local.", dnsmessage.TypeA))
	if got := strings.Join(words(m), ","); got != "A 192.0.2.5,CNAME www.example.com." || m.Answers[1].Header.Name.String() != "www.example.com." {
		t.Errorf("got %q: %+v", got, m)
	}
}

func TestStrangersAreNotAnswered(t *testing.T) {
	s := New(Options{Clients: []netip.Prefix{netip.MustParsePrefix("10.210.0.0/22"), netip.MustParsePrefix("fd00::/64")}})
	for ip, want := range map[string]bool{"10.210.3.9": true, "fd00::1": true, "192.168.1.5": false, "fd00:1::1": false, "::ffff:10.210.0.1": true} {
		if got := s.allowed(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
}

func TestOddQuestions(t *testing.T) {
	s := New(loopback)
	s.SetZone(testZone(t))
	good := ask(t, "web.default.svc.cluster.local.", dnsmessage.TypeA)
	change := func(f func(b []byte) []byte) []byte { return f(append([]byte(nil), good...)) }
	for name, c := range map[string]struct {
		msg  []byte
		want int // code; -1: no answer
	}{
		"an answer":    {change(func(b []byte) []byte { b[2] |= 0x80; return b }), -1},
		"short":        {good[:11], -1},
		"an update":    {change(func(b []byte) []byte { b[2] |= 5 << 3; return b }), rcodeKind},
		"no question":  {change(func(b []byte) []byte { b[5] = 0; return b }), rcodeFormat},
		"cut":          {good[:20], rcodeFormat},
		"a pointer":    {change(func(b []byte) []byte { b[12] = 0xc0; return b }), rcodeFormat},
		"chaos":        {change(func(b []byte) []byte { b[len(b)-1] = 3; return b }), rcodeRefused},
		"a transfer":   {change(func(b []byte) []byte { b[len(b)-3] = typeAXFR; return b }), rcodeRefused},
		"records lack": {change(func(b []byte) []byte { b[11] = 1; return b }), rcodeFormat},
	} {
		var q query
		out, later := s.quick(&q, c.msg, nil, 0)
		got := -1
		if out != nil {
			got = rcodeOf(out)
		}
		if later || got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
	newer := withEDNS(t, good, 1232)
	newer[len(newer)-5] = 1 // version
	var q query
	out, _ := s.quick(&q, newer, nil, 0)
	if m := unpack(t, out); m.Additionals[0].Header.ExtendedRCode(m.RCode) != rcodeVersion {
		t.Errorf("EDNS of another version: %+v", m)
	}
}

// A daemon that has just begun must not say of a name that there is none.
func TestQuestionsWaitForTheZone(t *testing.T) {
	s := New(loopback)
	k, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(k)
	t.Cleanup(s.Close)
	conn, err := net.Dial("udp", k.udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(ask(t, "web.default.svc.cluster.local.", dnsmessage.TypeA)); err != nil {
		t.Fatal(err)
	}
	s.SetZone(testZone(t))
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if m := unpack(t, buf[:n]); len(m.Answers) != 1 {
		t.Errorf("got %+v", m)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10_000)
	now := time.Now()
	for i := range 1000 {
		name := strings.Repeat("x", i%60+1) + ".com."
		m := addressAnswer(dnsmessage.Question{Name: dnsmessage.MustNewName(name)}, 60, [4]byte{1, 2, 3, 4})
		msg, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		c.put(name, msg, now)
	}
	if c.size > c.limit || len(c.all) != c.order.Len() || len(c.all) == 0 {
		t.Errorf("%d bytes in %d entries, limit %d", c.size, len(c.all), c.limit)
	}
	if c.get([]byte("x.com."), now.Add(maxStale+time.Hour)) != nil {
		t.Error("an answer is kept for ever")
	}
}

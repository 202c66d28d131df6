package dns

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The oracle of these tests is the parser of another project.

func ask(t *testing.T, name string, typ dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func withEDNS(t *testing.T, msg []byte, size int) []byte {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(msg); err != nil {
		t.Fatal(err)
	}
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(size, dnsmessage.RCodeSuccess, false); err != nil {
		t.Fatal(err)
	}
	m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
	out, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unpack(t *testing.T, msg []byte) dnsmessage.Message {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(msg); err != nil {
		t.Fatalf("%v in %x", err, msg)
	}
	return m
}

// words are the answers of a message.
func words(m dnsmessage.Message) []string {
	var out []string
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			out = append(out, "A "+netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			out = append(out, "AAAA "+netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.CNAMEResource:
			out = append(out, "CNAME "+b.CNAME.String())
		case *dnsmessage.PTRResource:
			out = append(out, "PTR "+b.PTR.String())
		case *dnsmessage.SRVResource:
			out = append(out, "SRV "+b.Target.String())
		case *dnsmessage.TXTResource:
			out = append(out, "TXT "+b.TXT[0])
		}
	}
	slices.Sort(out)
	return out
}

// upstream is a name server of the test's.
type upstream struct {
	addr  netip.AddrPort
	asked atomic.Int32
	udp   *net.UDPConn
	tcp   net.Listener
}

// listenBoth listens by UDP and TCP on one free port. A port that is free for UDP may be another process's for TCP.
func listenBoth(t *testing.T) (*net.UDPConn, *net.TCPListener) {
	t.Helper()
	for range 50 {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(udp.LocalAddr().String())))
		if err == nil {
			return udp, tcp
		}
		udp.Close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

func newUpstream(t *testing.T, answer func(q dnsmessage.Question, tcp bool) *dnsmessage.Message) *upstream {
	t.Helper()
	udp, tcp := listenBoth(t)
	u := &upstream{addr: netip.MustParseAddrPort(udp.LocalAddr().String()), udp: udp, tcp: tcp}
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	reply := func(msg []byte, overTCP bool) []byte {
		var m dnsmessage.Message
		if m.Unpack(msg) != nil {
			return nil
		}
		u.asked.Add(1)
		r := answer(m.Questions[0], overTCP)
		if r == nil {
			return nil
		}
		r.ID, r.Response, r.Questions = m.ID, true, m.Questions
		out, err := r.Pack()
		if err != nil {
			panic(err)
		}
		return out
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if out := reply(buf[:n], false); out != nil {
				_, _ = udp.WriteToUDPAddrPort(out, from)
			}
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			if msg, err := readTCP(conn, nil, 1<<16-1); err == nil {
				_ = writeTCP(conn, reply(msg, true))
			}
			conn.Close()
		}
	}()
	return u
}

func addressAnswer(q dnsmessage.Question, ttl uint32, ips ...[4]byte) *dnsmessage.Message {
	m := &dnsmessage.Message{}
	for _, ip := range ips {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   &dnsmessage.AResource{A: ip},
		})
	}
	return m
}

// served is a server on a loopback port of its own.
func served(t *testing.T, o Options, servers ...netip.AddrPort) (*Server, netip.AddrPort) {
	t.Helper()
	s := New(o)
	return s, serving(t, s, servers...)
}

// serving lets a server serve.
func serving(t *testing.T, s *Server, servers ...netip.AddrPort) netip.AddrPort {
	t.Helper()
	s.SetServers(servers)
	s.SetZone(testZone(t))
	k, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	// The two have different ports: none was asked for.
	k.udp.Close()
	k.tcp.Close()
	k.udp, k.tcp = listenBoth(t)
	addr := netip.MustParseAddrPort(k.udp.LocalAddr().String())
	s.Serve(k)
	t.Cleanup(s.Close)
	return addr
}

func exchange(t *testing.T, server netip.AddrPort, msg []byte) dnsmessage.Message {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(msg); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, buf[:n])
}

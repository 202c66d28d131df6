package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dialFrom connects from an address of the loopback: each is a client of its own.
func dialFrom(t *testing.T, from string, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.ParseIP(from)}, net.TCPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func askOver(t *testing.T, conn net.Conn, request []byte) dnsmessage.Message {
	t.Helper()
	if err := writeTCP(conn, request); err != nil {
		t.Fatal(err)
	}
	msg, err := readTCP(conn, nil, 1<<16-1)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, msg)
}

func TestIdleConnectionsOfOneClientShutNobodyOut(t *testing.T) {
	s := New(loopback)
	s.idle = time.Hour
	server := serving(t, s)
	request := ask(t, "web.default.svc.cluster.local.", dnsmessage.TypeA)
	first := dialFrom(t, "127.0.0.2", server)
	askOver(t, first, request)
	for range 3 * maxTCP {
		dialFrom(t, "127.0.0.2", server)
	}
	for _, from := range []string{"127.0.0.3", "127.0.0.4"} {
		if m := askOver(t, dialFrom(t, from, server), request); len(m.Answers) != 1 {
			t.Errorf("%s: got %+v", from, m)
		}
	}
	if m := askOver(t, first, request); len(m.Answers) != 1 {
		t.Errorf("the client's own first connection: got %+v", m)
	}
	if n := s.conns.Taken(); n > maxTCPEach+2 {
		t.Errorf("%d connections", n)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	s := New(loopback)
	s.idle = 20 * time.Millisecond
	server := serving(t, s)
	for name, begin := range map[string][]byte{"nothing": nil, "half a length": {0}, "half a question": {0, 40, 1, 2, 3}, "a question that is too long": {0xff, 0xff, 1}} {
		conn := dialFrom(t, "127.0.0.1", server)
		if _, err := conn.Write(begin); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("%s: read %d, %v; want the connection closed", name, n, err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); s.conns.Taken() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", s.conns.Taken())
		}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// A client whose questions wait for name servers that are silent leaves room for others' questions.
func TestQuestionsOfOneClientShutNobodyOut(t *testing.T) {
	var silent []netip.AddrPort
	for range 5 { // so that a slow machine has time: each is waited for
		silent = append(silent, newUpstream(t, func(q dnsmessage.Question, _ bool) *dnsmessage.Message {
			if q.Name.String() == "good.com." {
				return addressAnswer(q, 300, [4]byte{192, 0, 2, 9})
			}
			return nil
		}).addr)
	}
	s, server := served(t, loopback, silent...)
	hog, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	defer hog.Close()
	_ = hog.SetDeadline(time.Now().Add(20 * time.Second))
	send := func(i int) {
		if _, err := hog.Write(ask(t, fmt.Sprintf("bad%d.com.", i), dnsmessage.TypeA)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxWaitingEach {
		send(i)
		for deadline := time.Now().Add(10 * time.Second); s.waiting.Taken() <= i; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d questions wait", s.waiting.Taken(), i+1)
			}
		}
	}
	send(maxWaitingEach)
	buf := make([]byte, 512)
	n, err := hog.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("bad%d.com.", maxWaitingEach)
	if m := unpack(t, buf[:n]); m.RCode != dnsmessage.RCodeServerFailure || m.Questions[0].Name.String() != want {
		t.Errorf("the first answer is %+v; want %s, one question too many, refused", m, want)
	}
	if m := exchange(t, server, ask(t, "good.com.", dnsmessage.TypeA)); len(m.Answers) != 1 {
		t.Errorf("another client got %+v", m)
	}
}

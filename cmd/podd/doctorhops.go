package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"podd/board"
	"podd/netns"
)

// lookAlong looks at the hops of one family.
func lookAlong(w *board.Way, from viewpoint, servers []netip.Addr) {
	six := w.Family == "IPv6"
	for _, a := range from.addrs {
		if a.Is6() == six {
			w.Addr = a
		}
	}
	if w.Addr.IsValid() {
		w.Pod.Err = from.inside(func() error {
			h, err := netns.Uplink(six)
			w.Pod = hop(h, err)
			return err
		})
		w.Reach = from.inside(func() error { return knock(netip.AddrPortFrom(w.Node, 1)) })
		w.Back = hop(netns.Toward(w.Addr))
	}
	w.Forwarding = forwards(six)
	w.Uplink = hop(netns.Uplink(six))
	if g := w.Uplink.Gateway; g.IsValid() && w.Uplink.Carrier {
		// Whatever comes of it: the kernel has to look for the gateway.
		_ = knock(netip.AddrPortFrom(g.WithZone(zone(g, w.Uplink.Link)), 1))
		w.Uplink = hop(netns.Uplink(six))
	}
	for _, addr := range servers {
		if addr.Is6() == six {
			w.Servers = append(w.Servers, try(addr, from, w.Addr.IsValid()))
		}
	}
}

func zone(a netip.Addr, link string) string {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return link
	}
	return ""
}

func hop(h netns.Hop, err error) board.Hop {
	return board.Hop{Link: h.Link, Up: h.Up, Carrier: h.Carrier, Addressed: h.Addressed, Gateway: h.Gateway, Silent: h.Silent, Err: err}
}

func forwards(six bool) bool {
	path := "/proc/sys/net/ipv4/ip_forward"
	if six {
		path = "/proc/sys/net/ipv6/conf/all/forwarding"
	}
	text, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(text)) != "0"
}

// try asks a name server as the machine and as the pod.
func try(addr netip.Addr, from viewpoint, pod bool) board.Server {
	s := board.Server{Addr: addr, NodeOnly: !pod || addr.IsLoopback() || addr.IsLinkLocalUnicast()}
	if s.FromNode = question(addr, ""); s.FromNode == nil && !s.NodeOnly {
		s.FromPod = from.inside(func() error { return question(addr, "") })
	}
	return s
}

// knock says whether a machine is there: a port that nobody listens on answers too.
func knock(at netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", at.String(), networkPatience)
	switch {
	case err == nil:
		return conn.Close()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return nil
	}
	return plain(err)
}

// plain is what a failed system call says, without the addresses that the sentence around it has.
func plain(err error) error {
	var wrong *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &wrong) && wrong.Timeout():
		return errors.New("no answer")
	case errors.As(err, &errno):
		return errno
	}
	return err
}

// question asks a name server for the text of a name, or for the servers of the root if the name is empty. Any answer
// will do but the one that says that the server itself cannot find out (RFC 1035, 4.1.1: SERVFAIL).
func question(server netip.Addr, name string) error {
	const typeNS, typeTXT, serverFailure = 2, 16, 2
	kind := uint16(typeNS)
	if name != "" {
		kind = typeTXT
	}
	conn, err := net.DialTimeout("udp", netip.AddrPortFrom(server, 53).String(), networkPatience)
	if err != nil {
		return plain(err)
	}
	defer conn.Close()
	query := query(uint16(rand.Uint32()), name, kind)
	answer := make([]byte, 1500)
	_ = conn.SetDeadline(time.Now().Add(2 * networkPatience))
	if _, err := conn.Write(query); err != nil {
		return plain(err)
	}
	for {
		n, err := conn.Read(answer)
		switch {
		case err != nil:
			return plain(err)
		case n < 12 || [2]byte(answer) != [2]byte(query):
			continue
		case answer[3]&0xf == serverFailure:
			return errors.New("it answers that it cannot find out (SERVFAIL)")
		}
		return nil
	}
}

// query is a question in the wire format, RFC 1035, 4.1.
func query(id uint16, name string, kind uint16) []byte {
	const recursion = 0x0100
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, recursion)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label != "" {
			b = fmt.Appendf(append(b, byte(len(label))), "%s", label)
		}
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, kind)
	return append(b, 0, 1)
}

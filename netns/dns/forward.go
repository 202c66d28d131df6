package dns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// forwarder asks the host's name servers.
type forwarder struct {
	mu      sync.Mutex
	servers []netip.AddrPort
	failed  map[netip.AddrPort]time.Time
}

const (
	// How long one server is waited for, in the first round and in the second.
	firstWait, secondWait = time.Second, 2 * time.Second
	// shunned is how long a server that has failed is asked after the others.
	shunned = 30 * time.Second
	tcpWait = 3 * time.Second
	// maxUDP is more than what is asked for: some servers send more.
	maxUDP = 4096
)

// set takes other servers and says whether they are others.
func (f *forwarder) set(servers []netip.AddrPort) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := len(servers) == len(f.servers)
	for i := range servers {
		same = same && servers[i] == f.servers[i]
	}
	f.servers, f.failed = append([]netip.AddrPort(nil), servers...), map[netip.AddrPort]time.Time{}
	return !same
}

// order is the host's order, but for those that have failed of late.
func (f *forwarder) order(now time.Time) []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	var good, bad []netip.AddrPort
	for _, s := range f.servers {
		if at, ok := f.failed[s]; ok && now.Sub(at) < shunned {
			bad = append(bad, s)
		} else {
			good = append(good, s)
		}
	}
	return append(good, bad...)
}

func (f *forwarder) judge(server netip.AddrPort, err error, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.failed, server)
	} else {
		f.failed[server] = now
	}
}

// ask puts a question to the servers, one after the other and twice, and returns the first answer without EDNS.
func (f *forwarder) ask(ctx context.Context, q *asked) ([]byte, error) {
	errs := []error{errNoServer}
	for round, wait := range []time.Duration{firstWait, secondWait} {
		for _, server := range f.order(time.Now()) {
			if round == 0 && len(errs) == 1 && errors.Is(errs[0], errNoServer) {
				errs = nil
			}
			msg, err := askServer(ctx, server, q, wait)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			f.judge(server, err, time.Now())
			if err == nil {
				return msg, nil
			}
			errs = append(errs, fmt.Errorf("%s: %w", server, err))
		}
	}
	return nil, errors.Join(errs...)
}

// asked is a question on its way to the servers.
type asked struct {
	flags    uint16
	question []byte
	do       bool
}

// message is the question as it goes out, under an ID that nobody can guess.
func (a *asked) message(edns bool) []byte {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, headerSize+len(a.question)+11), uint16(rand.Uint32()))
	out = binary.BigEndian.AppendUint16(out, a.flags&(flagRD|flagAD|flagCD))
	out = append(out, 0, 1, 0, 0, 0, 0, 0, 0)
	out = append(out, a.question...)
	if !edns {
		return out
	}
	setCount(out, 3, 1)
	var do byte
	if a.do {
		do = 0x80
	}
	out = append(out, 0, 0, typeOPT)
	return append(binary.BigEndian.AppendUint16(out, ednsSize), 0, 0, do, 0, 0, 0)
}

func askServer(ctx context.Context, server netip.AddrPort, a *asked, wait time.Duration) ([]byte, error) {
	msg, err := askUDP(ctx, server, a.message(true), wait)
	if err == nil && (rcodeOf(msg) == rcodeFormat || rcodeOf(msg) == rcodeKind) {
		msg, err = askUDP(ctx, server, a.message(false), wait) // a server from before EDNS
	}
	if err == nil && flagsOf(msg)&flagTC != 0 {
		if whole, tcpErr := askTCP(ctx, server, a.message(true)); tcpErr == nil {
			msg = whole
		}
	}
	if err != nil {
		return nil, err
	}
	switch rcodeOf(msg) {
	case rcodeServer, rcodeKind, rcodeRefused:
		return nil, fmt.Errorf("%w: code %d", errRefused, rcodeOf(msg))
	}
	return strip(msg)
}

// askUDP asks from a port of its own, which the kernel chooses at random, and ignores what is no answer.
func askUDP(ctx context.Context, server netip.AddrPort, request []byte, wait time.Duration) ([]byte, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	buf := make([]byte, maxUDP)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if isAnswer(buf[:n], request) {
			return buf[:n:n], nil
		}
	}
}

func askTCP(ctx context.Context, server netip.AddrPort, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tcpWait)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(tcpWait)); err != nil {
		return nil, err
	}
	if err := writeTCP(conn, request); err != nil {
		return nil, err
	}
	msg, err := readTCP(conn, nil, 1<<16-1)
	if err != nil {
		return nil, err
	}
	if !isAnswer(msg, request) {
		return nil, errMalformed
	}
	return msg, nil
}

// isAnswer holds an answer against its question: ID, and the name in any case.
func isAnswer(msg, request []byte) bool {
	if len(msg) < headerSize || !bytes.Equal(msg[:2], request[:2]) || flagsOf(msg)&flagQR == 0 || flagsOf(msg)&maskOpcode != 0 {
		return false
	}
	if count(msg, 0) == 0 { // some servers leave it out when they refuse
		return rcodeOf(msg) != rcodeSuccess && rcodeOf(msg) != rcodeName
	}
	end, ok := skipQuestions(msg)
	if !ok || count(msg, 0) != 1 || end > len(request) {
		return false
	}
	for i := headerSize; i < end-4; i++ {
		if lower(msg[i]) != lower(request[i]) {
			return false
		}
	}
	asked, _ := skipQuestions(request)
	return end == asked && bytes.Equal(msg[end-4:end], request[end-4:end])
}

// strip checks an answer and takes EDNS out of it, which is between two neighbours only.
func strip(msg []byte) ([]byte, error) {
	off, ok := skipQuestions(msg)
	for section := 1; ok && section <= 3; section++ {
		for i := range count(msg, section) {
			r, valid := readRecord(msg, off)
			if !valid {
				return nil, errMalformed
			}
			if r.typ == typeOPT {
				// What is behind it is as dispensable as all of this section.
				setCount(msg, section, i)
				return bytes.Clone(msg[:off]), nil
			}
			off = r.end
		}
	}
	if !ok {
		return nil, errMalformed
	}
	return bytes.Clone(msg[:off]), nil
}

// writeTCP sends a message with its length before it. RFC 7766
func writeTCP(w io.Writer, msg []byte) error {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg)))
	_, err := w.Write(append(framed, msg...))
	return err
}

// readTCP reads a message of at most so many bytes.
func readTCP(r io.Reader, buf []byte, limit int) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > limit {
		return nil, errMalformed
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(r, buf[:n])
	return buf[:n], err
}

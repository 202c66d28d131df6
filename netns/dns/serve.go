package dns

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// maxRequest is what a question may have, in bytes: one name and options.
const maxRequest = 4096

// Serve answers on two sockets, which it closes at the end.
func (s *Server) Serve(k *Sockets) {
	context.AfterFunc(s.ctx, k.Close)
	begin := func(serve func()) {
		select {
		case <-s.known:
			serve()
		case <-s.ctx.Done():
		}
	}
	s.done.Go(func() { begin(func() { s.serveUDP(k.udp) }) })
	s.done.Go(func() { begin(func() { s.serveTCP(k.tcp) }) })
}

func (s *Server) serveUDP(conn *net.UDPConn) {
	in, out := make([]byte, maxRequest), make([]byte, 0, maxUDP)
	var q query
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if s.ctx.Err() != nil {
			return
		}
		if err != nil || !s.allowed(from.Addr()) {
			continue // an error is that of an earlier answer, whose client is gone
		}
		answer, later := s.quick(&q, in[:n], out, 0)
		if later && s.waiting.Take(from.Addr()) {
			s.await(conn, from, &q)
			continue
		}
		if later {
			answer = q.refuse(out, rcodeServer)
		}
		if answer != nil {
			_, _ = conn.WriteToUDPAddrPort(answer, from)
			out = answer[:0]
		}
	}
}

// await answers one client later, and then gives back its share.
func (s *Server) await(conn *net.UDPConn, from netip.AddrPort, q *query) {
	own := *q
	own.question = append([]byte(nil), q.question...)
	own.name = own.buf[:len(q.name)]
	s.done.Go(func() {
		defer s.waiting.GiveBack(from.Addr())
		_, _ = conn.WriteToUDPAddrPort(s.find(&own, nil, own.size), from)
	})
}

func (s *Server) serveTCP(l *net.TCPListener) {
	for {
		conn, err := l.AcceptTCP()
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // out of descriptors: others must close some
			continue
		}
		from, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		if !s.allowed(from.Addr()) || !s.conns.Take(from.Addr()) {
			_ = conn.Close()
			continue
		}
		s.done.Go(func() {
			defer s.conns.GiveBack(from.Addr())
			s.converse(conn, from.Addr())
		})
	}
}

// converse answers one connection's questions, one after the other. Between them it holds no more memory than a question
// needs.
func (s *Server) converse(conn *net.TCPConn, from netip.Addr) {
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { _ = conn.Close() })()
	const limit = 1<<16 - 1
	var q query
	var in, out []byte
	for {
		if err := conn.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
			return
		}
		var err error
		if in, err = readTCP(conn, in, maxRequest); err != nil {
			return
		}
		answer, later := s.quick(&q, in, out, limit)
		if later {
			answer = s.slow(from, &q, out, limit)
		}
		if answer == nil || conn.SetWriteDeadline(time.Now().Add(slowTCP)) != nil || writeTCP(conn, answer) != nil {
			return
		}
		if out = answer[:0]; cap(out) > maxRequest {
			out = nil
		}
	}
}

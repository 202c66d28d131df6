package dns

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"podd/internal/shares"
)

// Options are what a server is made of.
type Options struct {
	// Clients are the networks that may ask: the pods' own, of which the node's own address is part.
	Clients []netip.Prefix
	// CacheSize bounds what is remembered of others' answers, in bytes; 0: 1 MiB.
	CacheSize int
}

// Server answers pods. Its methods may be called at the same time.
type Server struct {
	clients   []netip.Prefix
	zone      atomic.Pointer[Zone]
	known     chan struct{} // closed when there is a zone: until then questions wait in their sockets
	knowOnce  sync.Once
	cache     *cache
	forwarder forwarder
	flights   flights
	waiting   *shares.Shares // questions that wait for name servers
	conns     *shares.Shares // TCP connections
	idle      time.Duration

	ctx  context.Context // of what is asked for on behalf of clients
	end  context.CancelFunc
	done sync.WaitGroup
}

const (
	// maxWaiting bounds the goroutines that wait for name servers, of all clients and of one: one for each question.
	maxWaiting, maxWaitingEach = 256, 64
	// maxTCP bounds the connections, likewise.
	maxTCP, maxTCPEach = 128, 16
	// idleTCP is how long a connection may take over its next question. RFC 7766, section 6.2.3
	idleTCP = 10 * time.Second
	// slowTCP is how long a client may take to read an answer.
	slowTCP = 5 * time.Second
)

// New makes a server that knows nothing yet and answers nobody: SetServers, SetZone, Serve.
func New(o Options) *Server {
	if o.CacheSize == 0 {
		o.CacheSize = 1 << 20
	}
	s := &Server{
		clients: o.Clients, cache: newCache(o.CacheSize), flights: flights{all: map[string]*flight{}}, known: make(chan struct{}),
		waiting: shares.New(maxWaiting, maxWaitingEach), conns: shares.New(maxTCP, maxTCPEach), idle: idleTCP,
	}
	s.ctx, s.end = background()
	return s
}

// SetZone replaces what the node itself knows. The first one begins the service: whoever asks earlier waits for it.
func (s *Server) SetZone(z *Zone) {
	s.zone.Store(z)
	s.knowOnce.Do(func() { close(s.known) })
}

// SetServers replaces the name servers that know the rest. Answers of other servers become stale.
func (s *Server) SetServers(servers []netip.AddrPort) {
	if s.forwarder.set(servers) {
		s.cache.expire(time.Now())
	}
}

// Close ends what Serve began, and the sockets with it.
func (s *Server) Close() {
	s.end()
	s.done.Wait()
}

// allowed says whether this is a client: the address may be reached from the board's other networks too.
func (s *Server) allowed(ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, p := range s.clients {
		if p.Contains(ip) {
			return true
		}
	}
	return ip.IsLoopback()
}

// quick answers what needs no waiting, into out. It returns nil for a message that deserves no answer, and
// later for a question that has to wait.
func (s *Server) quick(q *query, msg, out []byte, limit int) (answer []byte, later bool) {
	if rcode := q.parse(msg); rcode != rcodeSuccess {
		if rcode < 0 {
			return nil, false
		}
		return q.refuse(out, rcode), false
	}
	if q.class != classIN || q.typ == typeAXFR || q.typ == typeIXFR {
		return q.refuse(out, rcodeRefused), false
	}
	if limit == 0 {
		limit = q.size
	}
	zone := s.zone.Load()
	if zone.owns(q.name) {
		answer, elsewhere := zone.answer(q, out)
		if elsewhere != nil {
			return nil, true
		}
		return q.finish(answer, limit, 0), false
	}
	var buf [maxWire + 4]byte
	now := time.Now()
	if e := s.cache.get(q.appendKey(buf[:0]), now); e != nil && now.Before(e.expires) {
		return q.finish(e.serve(q, out, now), limit, 0), false
	}
	return nil, true
}

// slow answers a client's question that quick could not.
func (s *Server) slow(from netip.Addr, q *query, out []byte, limit int) []byte {
	if limit == 0 {
		limit = q.size
	}
	if !s.waiting.Take(from) {
		return q.refuse(out, rcodeServer)
	}
	defer s.waiting.GiveBack(from)
	return s.find(q, out, limit)
}

// find answers from the zone and from the name servers.
func (s *Server) find(q *query, out []byte, limit int) []byte {
	zone := s.zone.Load()
	if !zone.owns(q.name) {
		return s.resolve(q, out, limit)
	}
	answer, elsewhere := zone.answer(q, out)
	if elsewhere == nil {
		return q.finish(answer, limit, 0)
	}
	return s.follow(q, answer, elsewhere, limit)
}

package dns

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// patience is how long a client waits for a fresh answer while there is a stale one. RFC 8767, section 5
const patience = 1800 * time.Millisecond

// flights are the questions on their way: whoever asks the same meanwhile waits for the same answer.
type flights struct {
	mu  sync.Mutex
	all map[string]*flight
}

type flight struct {
	done chan struct{}
	msg  []byte // nil: nobody has an answer
}

// fetch finds an answer in the cache or at the name servers. Without one it returns nil.
func (s *Server) fetch(q *query, key []byte) *cached {
	now := time.Now()
	known := s.cache.get(key, now)
	if known != nil && (now.Before(known.expires) || now.Before(known.retryAt)) {
		return known
	}
	f := s.join(q, string(key))
	if known == nil {
		<-f.done
	} else {
		wait := time.NewTimer(patience)
		defer wait.Stop()
		select {
		case <-f.done:
		case <-wait.C:
		}
	}
	select {
	case <-f.done:
		if f.msg != nil {
			now = time.Now()
			return &cached{msg: f.msg, stored: now, expires: now.Add(maxTTL)}
		}
	default:
	}
	return known
}

// join waits with whoever asks the same, or begins to ask.
func (s *Server) join(q *query, key string) *flight {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if f := s.flights.all[key]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	s.flights.all[key] = f
	a := &asked{flags: q.flags, question: bytes.Clone(q.question), do: q.do}
	go func() {
		f.msg = s.ask(a, key)
		s.flights.mu.Lock()
		delete(s.flights.all, key)
		s.flights.mu.Unlock()
		close(f.done)
	}()
	return f
}

func (s *Server) ask(a *asked, key string) []byte {
	msg, err := s.forwarder.ask(s.ctx, a)
	if err != nil {
		s.cache.postpone(key, time.Now())
		return nil
	}
	s.cache.put(key, msg, time.Now())
	return msg
}

// resolve answers what neither the zone nor a fresh entry of the cache could.
func (s *Server) resolve(q *query, out []byte, limit int) []byte {
	var buf [maxWire + 4]byte
	found := s.fetch(q, q.appendKey(buf[:0]))
	if found == nil {
		return q.refuse(out, rcodeServer)
	}
	return q.finish(found.serve(q, out, time.Now()), limit, 0)
}

// follow completes an answer of the zone that ends in a name elsewhere.
func (s *Server) follow(q *query, out, target []byte, limit int) []byte {
	next := query{id: q.id, flags: q.flags | flagRD, typ: q.typ, class: q.class, do: q.do, name: target}
	next.question = append(bytes.Clone(target), byte(q.typ>>8), byte(q.typ), byte(q.class>>8), byte(q.class))
	var buf [maxWire + 4]byte
	found := s.fetch(&next, next.appendKey(buf[:0]))
	if found == nil {
		return q.refuse(out, rcodeServer)
	}
	msg, n := found.serve(&next, nil, time.Now()), 0
	eachRecord(msg, func(section int, r record) {
		if section == 1 {
			if longer, ok := appendForeign(out, msg, r); ok {
				out, n = longer, n+1
			}
		}
	})
	setCount(out, 1, count(out, 1)+n)
	setFlags(out, flagsOf(out)&^flagAA|uint16(rcodeOf(msg)))
	return q.finish(out, limit, 0)
}

// appendForeign copies a record from another message, whose compressed names mean nothing in this one.
func appendForeign(out, msg []byte, r record) ([]byte, bool) {
	from := len(out)
	out, ok := appendName(out, msg, r.start)
	if !ok {
		return out[:from], false
	}
	out = append(out, msg[r.rdata-10:r.rdata]...)
	at := len(out)
	switch r.typ {
	case typeA, typeAAAA, typeTXT:
		out = append(out, msg[r.rdata:r.end]...)
	case typeCNAME:
		out, ok = appendName(out, msg, r.rdata)
	default:
		ok = false // it may hold names in places that are not known here
	}
	if !ok {
		return out[:from], false
	}
	setLength(out, at)
	return out, true
}

// background is a context that ends with the server.
func background() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

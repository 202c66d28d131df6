package dns

import (
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuestion throws bytes at what pods can reach: whatever comes back must be a message.
func FuzzQuestion(f *testing.F) {
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("web.default.svc.cluster.local."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	seed, _ := m.Pack()
	f.Add(seed)
	f.Add(append(append([]byte{}, seed...), 0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0))
	s := New(Options{})
	s.SetZone(testZone(f))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var q query
		out, later := s.quick(&q, msg, nil, 0)
		if later || out == nil {
			return
		}
		if len(out) > ednsSize+100 {
			t.Fatalf("%d bytes", len(out))
		}
		var p dnsmessage.Parser
		if _, err := p.Start(out); err != nil {
			t.Fatalf("%v: %x", err, out)
		}
	})
}

// FuzzAnswer throws bytes at what name servers can reach.
func FuzzAnswer(f *testing.F) {
	m := addressAnswer(dnsmessage.Question{Name: dnsmessage.MustNewName("a.b.")}, 60, [4]byte{1, 2, 3, 4})
	m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("a.b."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	seed, _ := m.Pack()
	f.Add(seed)
	f.Fuzz(func(t *testing.T, msg []byte) {
		request := (&asked{question: []byte("\x01a\x01b\x00\x00\x01\x00\x01")}).message(false)
		if len(msg) > 2 {
			copy(request, msg[:2])
		}
		if !isAnswer(msg, request) {
			return
		}
		stripped, err := strip(msg)
		if err != nil {
			return
		}
		c, now := newCache(1<<20), time.Now()
		c.put("k", stripped, now)
		var q query
		if q.parse(request) != rcodeSuccess {
			t.Fatal("the question cannot be parsed")
		}
		if e := c.get([]byte("k"), now); e != nil {
			_ = q.finish(e.serve(&q, nil, now), plainSize, 0)
		}
		eachRecord(stripped, func(_ int, r record) { _, _ = appendForeign(nil, stripped, r) })
	})
}

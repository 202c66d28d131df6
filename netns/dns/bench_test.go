package dns

import (
	"testing"
	"time"
)

func BenchmarkZone(b *testing.B) {
	s := New(Options{})
	s.SetZone(testZone(b))
	request := append([]byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x03web\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01"...)
	var q query
	out := make([]byte, 0, maxUDP)
	b.ReportAllocs()
	for b.Loop() {
		s.quick(&q, request, out, 0)
	}
}

func BenchmarkCache(b *testing.B) {
	s := New(Options{})
	s.SetZone(testZone(b))
	request := append([]byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, "\x07example\x03com\x00\x00\x01\x00\x01"...)
	answer := append([]byte{1, 2, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, "\x07example\x03com\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x00\x00\x04\x01\x02\x03\x04"...)
	var q query
	q.parse(request)
	s.cache.put(string(q.appendKey(nil)), answer, time.Now())
	out := make([]byte, 0, maxUDP)
	b.ReportAllocs()
	for b.Loop() {
		if _, later := s.quick(&q, request, out, 0); later {
			b.Fatal("not in the cache")
		}
	}
}

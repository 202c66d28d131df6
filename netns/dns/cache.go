package dns

import (
	"container/list"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// maxTTL bounds what a name server says, and maxNegative what it says about what is not there. RFC 2308, 8767
	maxTTL, maxNegative = 24 * time.Hour, 15 * time.Minute
	// maxStale is how long an answer is better than none after its time. RFC 8767, section 5
	maxStale = 3 * 24 * time.Hour
	// staleTTL is what a client is told of a stale answer, and how long nobody tries to refresh it after that failed.
	staleTTL, recheck = 30 * time.Second, 30 * time.Second
	// perEntry is about what the cache itself needs for an answer, in bytes.
	perEntry = 300
)

// cache holds answers of name servers, the least recently used of which go first.
type cache struct {
	mu    sync.Mutex
	limit int // bytes
	size  int
	all   map[string]*list.Element
	order list.List // of *cached, most recently used first
}

// cached is one answer. Its message does not change.
type cached struct {
	key     string
	msg     []byte // without EDNS
	stored  time.Time
	expires time.Time
	retryAt time.Time // a refresh has failed: not before
}

func newCache(limit int) *cache { return &cache{limit: limit, all: map[string]*list.Element{}} }

// appendKey tells questions apart whose answers may differ.
func (q *query) appendKey(out []byte) []byte {
	kept := q.flags & (flagRD | flagAD | flagCD)
	if q.do {
		kept |= 1
	}
	out = append(out, q.name...)
	out = binary.BigEndian.AppendUint16(out, q.typ)
	return binary.BigEndian.AppendUint16(out, kept)
}

// get finds an answer, which may be a stale one.
func (c *cache) get(key []byte, now time.Time) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.all[string(key)]
	if element == nil {
		return nil
	}
	entry := element.Value.(*cached)
	if now.After(entry.expires.Add(maxStale)) {
		c.drop(element)
		return nil
	}
	c.order.MoveToFront(element)
	return entry
}

// put keeps an answer for as long as it says itself.
func (c *cache) put(key string, msg []byte, now time.Time) {
	life := lifetime(msg)
	if life <= 0 || len(msg)+perEntry > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.all[key]; old != nil {
		c.drop(old)
	}
	entry := &cached{key: key, msg: msg, stored: now, expires: now.Add(life)}
	c.all[key] = c.order.PushFront(entry)
	c.size += len(entry.msg) + len(key) + perEntry
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

// postpone says of a stale answer that it could not be refreshed.
func (c *cache) postpone(key string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.all[key]; element != nil {
		entry := *element.Value.(*cached)
		entry.retryAt = now.Add(recheck)
		element.Value = &entry
	}
}

// expire makes every answer stale: other name servers may say something else.
func (c *cache) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, element := range c.all {
		entry := *element.Value.(*cached)
		entry.retryAt = time.Time{}
		if entry.expires.After(now) {
			entry.expires = now
		}
		element.Value = &entry
	}
}

func (c *cache) drop(element *list.Element) {
	entry := c.order.Remove(element).(*cached)
	delete(c.all, entry.key)
	c.size -= len(entry.msg) + len(entry.key) + perEntry
}

// lifetime is how long an answer may be kept; 0: not at all.
func lifetime(msg []byte) time.Duration {
	rcode := rcodeOf(msg)
	if rcode != rcodeSuccess && rcode != rcodeName || flagsOf(msg)&flagTC != 0 {
		return 0
	}
	life, found := maxTTL, false
	eachRecord(msg, func(section int, r record) {
		seconds := binary.BigEndian.Uint32(msg[r.ttlAt():])
		switch {
		case section == 1:
			life, found = min(life, asTTL(seconds)), true
		case section == 2 && r.typ == typeSOA && r.end-r.rdata >= 4 && !found:
			minimum := binary.BigEndian.Uint32(msg[r.end-4:])
			life, found = min(asTTL(seconds), asTTL(minimum), maxNegative), true
		}
	})
	if !found {
		return 0
	}
	return life
}

// asTTL is a time to live; one whose highest bit is set is zero. RFC 2181, section 8
func asTTL(seconds uint32) time.Duration {
	if int32(seconds) < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// eachRecord calls f for the records of a message that has been checked.
func eachRecord(msg []byte, f func(section int, r record)) {
	off, ok := skipQuestions(msg)
	for section := 1; ok && section <= 3; section++ {
		for range count(msg, section) {
			r, valid := readRecord(msg, off)
			if !valid {
				return
			}
			f(section, r)
			off = r.end
		}
	}
}

// serve writes a kept answer for another client, who asks later and perhaps in other letters.
func (e *cached) serve(q *query, out []byte, now time.Time) []byte {
	id := q.id
	out = append(out[:0], e.msg...)
	binary.BigEndian.PutUint16(out, id)
	setFlags(out, flagsOf(out)&^(flagAA|flagRD)|q.flags&flagRD|flagRA)
	copy(out[headerSize:], q.question)
	age, stale := uint32(now.Sub(e.stored)/time.Second), !now.Before(e.expires)
	eachRecord(out, func(_ int, r record) {
		left := binary.BigEndian.Uint32(out[r.ttlAt():])
		switch {
		case stale:
			left = uint32(staleTTL / time.Second)
		case left > age:
			left -= age
		default:
			left = 0
		}
		binary.BigEndian.PutUint32(out[r.ttlAt():], left)
	})
	return out
}

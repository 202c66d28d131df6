// Package hub hands the changes of published objects to any number of watchers.
package hub

import "sync"

// watcherSlack is how many changes a watcher may lag behind before it is dropped.
const watcherSlack = 128

// Hub hands a stream of numbered changes to any number of watchers. It remembers the last
// few so that a watcher can begin at a resource version that it has seen in a list, and
// it never waits: a watcher that does not keep up finds its channel closed.
type Hub[E any] struct {
	mu       sync.Mutex
	newest   uint64 // resource version of the last change
	forgot   uint64 // of the last change that is no longer in ring
	ring     []numbered[E]
	next     int // where in a full ring the oldest one is
	watchers map[*watcher[E]]struct{}
}

type numbered[E any] struct {
	rv     uint64
	change E
}

type watcher[E any] struct{ ch chan E }

// NewHub makes a hub whose picture has the resource version start, and that remembers keep
// changes.
func New[E any](start uint64, keep int) *Hub[E] {
	return &Hub[E]{newest: start, forgot: start, ring: make([]numbered[E], 0, keep), watchers: map[*watcher[E]]struct{}{}}
}

// Publish appends a change. rv must be greater than every one before.
func (h *Hub[E]) Publish(rv uint64, change E) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest = rv
	h.remember(numbered[E]{rv, change})
	for w := range h.watchers {
		select {
		case w.ch <- change:
		default:
			delete(h.watchers, w)
			close(w.ch)
		}
	}
}

func (h *Hub[E]) remember(n numbered[E]) {
	if len(h.ring) < cap(h.ring) {
		h.ring = append(h.ring, n)
		return
	}
	if len(h.ring) == 0 {
		h.forgot = n.rv
		return
	}
	h.forgot = h.ring[h.next].rv
	h.ring[h.next] = n
	h.next = (h.next + 1) % len(h.ring)
}

// Watch delivers every change after since. ErrTooOld when one of them is forgotten, or
// when since is of another life of the daemon.
func (h *Hub[E]) Watch(since uint64) (<-chan E, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since < h.forgot || since > h.newest {
		return nil, nil, ErrTooOld
	}
	w := &watcher[E]{ch: make(chan E, len(h.ring)+watcherSlack)}
	for i := range h.ring {
		if n := h.ring[(h.next+i)%len(h.ring)]; n.rv > since {
			w.ch <- n.change
		}
	}
	h.watchers[w] = struct{}{}
	return w.ch, func() { h.cancel(w) }, nil
}

func (h *Hub[E]) cancel(w *watcher[E]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

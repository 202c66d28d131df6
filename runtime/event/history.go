package event

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// historyMax is how many changes a watch can begin behind.
	historyMax = 256
	// slack is how many changes a watcher may lag behind.
	slack = 128
)

// Change is one change of the list of events.
type Change struct {
	Type  watch.EventType // Added, Modified or Deleted
	Event *corev1.Event   // shared by all watchers: not to be changed
	RV    uint64          // resource version after it
}

// past is a change as it is remembered: half the size of an Event.
type past struct {
	typ   watch.EventType
	entry *entry
}

// history is the last changes and who wants to hear of the next. Entries are never
// changed, only replaced.
type history struct {
	changes   []past
	forgotten uint64 // resource version of the last change not in changes
	watchers  map[chan Change]struct{}
}

func (h *history) add(typ watch.EventType, e *entry, node string) {
	if len(h.changes) >= 2*historyMax {
		h.forgotten = h.changes[historyMax-1].entry.RV
		clear(h.changes[copy(h.changes, h.changes[historyMax:]):])
		h.changes = h.changes[:historyMax]
	}
	h.changes = append(h.changes, past{typ, e})
	if len(h.watchers) == 0 {
		return
	}
	change := Change{typ, e.event(node), e.RV}
	for ch := range h.watchers {
		select {
		case ch <- change:
		default:
			h.cancel(ch)
		}
	}
}

// watch makes a channel with the changes after since in it.
func (h *history) watch(since uint64, node string) chan Change {
	first := len(h.changes)
	for first > 0 && h.changes[first-1].entry.RV > since {
		first--
	}
	ch := make(chan Change, len(h.changes)-first+slack)
	for _, p := range h.changes[first:] {
		ch <- Change{p.typ, p.entry.event(node), p.entry.RV}
	}
	if h.watchers == nil {
		h.watchers = map[chan Change]struct{}{}
	}
	h.watchers[ch] = struct{}{}
	return ch
}

// cancel closes a watcher's channel; a second time it does nothing.
func (h *history) cancel(ch chan Change) {
	if _, ok := h.watchers[ch]; ok {
		delete(h.watchers, ch)
		close(ch)
	}
}

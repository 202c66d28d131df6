package event

import (
	"cmp"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/internal/atomicfile"
)

// Options of a Recorder.
type Options struct {
	Path string // file on tmpfs, empty: memory only
	Max  int    // events kept, 0: 1000
	Node string // the name of the node, as the events' source
	// Damaged is told of a file that could not be believed and was set aside; nil: nobody is. The recorder is not open yet.
	Damaged atomicfile.Report
	Warn    func(error) // told once of each reason for which events are not persisted; nil: nobody
}

// Recorder keeps the latest events. Its methods may be called by several
// goroutines.
type Recorder struct {
	o Options

	mu        sync.Mutex
	entries   map[key]*entry
	similar   correlator
	rv        uint64
	lastNanos int64 // of the last name
	history   history
	file      file
}

// Open makes a recorder with the events that an earlier process left in its file.
// A file that cannot be read as a whole gives what can be read of it. One that cannot be written, on a full disk, is tried
// again with each event.
func Open(o Options) *Recorder {
	if o.Max <= 0 {
		o.Max = 1000
	}
	r := &Recorder{
		o:       o,
		entries: map[key]*entry{},
		similar: correlator{groups: map[group]*similar{}, max: o.Max},
		file:    file{path: o.Path},
	}
	if o.Path == "" {
		return r
	}
	if err := r.load(); err != nil {
		r.file.bad, r.file.told = true, true
		if o.Warn != nil {
			o.Warn(err)
		}
	}
	return r
}

// Close closes the file; events recorded after that are not persisted.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file.path = ""
	return r.file.close()
}

// Record notes that something happened to an object. typ is corev1.EventTypeNormal
// or EventTypeWarning, reason a CamelCase word. An equal event is counted instead,
// one too many of its kind combined with others.
func (r *Recorder) Record(now time.Time, ref corev1.ObjectReference, typ, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := entry{Ref: reference(ref), Type: typ, Reason: reason, Message: message, First: now, Last: now, Count: 1}
	if r.similar.combine(now, e.group(), message) {
		e.Message, e.Combined = combinedPrefix+message, true
	}
	change := watch.Added
	k := e.key()
	if old := r.entries[k]; old != nil {
		change = watch.Modified
		e.Name, e.First, e.Count = old.Name, old.First, old.Count+1
	} else {
		e.Name = r.newName(now, ref.Name)
		r.evict(r.o.Max - 1)
	}
	r.rv++
	e.RV = r.rv
	r.entries[k] = &e
	r.history.add(change, &e, r.o.Node)
	r.persist(&e)
}

// newName is unique also for two events of one instant or after the clock was set
// back.
func (r *Recorder) newName(now time.Time, object string) string {
	r.lastNanos = max(now.UnixNano(), r.lastNanos+1)
	return name(object, r.lastNanos)
}

// evict drops what happened longest ago until only keep events are left.
func (r *Recorder) evict(keep int) {
	for len(r.entries) > keep {
		var oldest *entry
		for _, e := range r.entries {
			if oldest == nil || e.RV < oldest.RV {
				oldest = e
			}
		}
		delete(r.entries, oldest.key())
		r.rv++
		gone := *oldest
		gone.RV = r.rv
		r.history.add(watch.Deleted, &gone, r.o.Node)
	}
}

// List gives the events of a namespace, empty for all, and the resource version of
// that picture. The one that happened last comes last.
func (r *Recorder) List(namespace string) ([]corev1.Event, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]corev1.Event, 0, len(r.entries))
	for _, e := range r.sorted() {
		if namespace == "" || namespace == e.namespace() {
			list = append(list, *e.event(r.o.Node))
		}
	}
	return list, r.rv
}

func (r *Recorder) sorted() []*entry {
	list := make([]*entry, 0, len(r.entries))
	for _, e := range r.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.RV, b.RV) })
	return list
}

// Watch delivers every change after the resource version since, in order. A
// channel that is closed before cancel was called means that the receiver was too
// slow. ErrTooOld if the changes since are no longer, or not yet, known: only the
// last few hundred are, and none from before a restart.
func (r *Recorder) Watch(since uint64) (<-chan Change, func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since > r.rv || since < r.history.forgotten {
		return nil, nil, ErrTooOld
	}
	ch := r.history.watch(since, r.o.Node)
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.history.cancel(ch)
	}, nil
}

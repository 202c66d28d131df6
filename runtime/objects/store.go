package objects

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"podd/internal/objectmeta"
	"podd/runtime/api/hub"
	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
	"podd/runtime/state"
	"podd/runtime/status"
)

// Store holds pods and objects as the API shows them. The loop publishes; readers never wait for the loop. What is
// published must not be changed afterwards, but for its resource version here.
type Store struct {
	mu   sync.Mutex
	pods collection[types.UID, *corev1.Pod, hub.PodEvent]
	// backoffs has the ends of the back-offs of the pods that are in one, since boot.
	backoffs map[types.UID]map[string]state.BootTime
	refused  map[types.UID]bool // those of pods that stand for refused manifests
	objects  collection[Key, hub.Object, hub.ObjectEvent]
	standins map[Key]bool // those of objects that stand for refused documents
	problems []manifest.Problem
}

// NewStore makes an empty store.
func NewStore() *Store {
	s := &Store{backoffs: map[types.UID]map[string]state.BootTime{}, refused: map[types.UID]bool{}, standins: map[Key]bool{}}
	// Versions of an earlier daemon stay below those of this one, as long as the clock of the boot goes on.
	start := state.Now().Mono.Milliseconds()
	s.pods.init(start, func(typ watch.EventType, _ types.UID, p *corev1.Pod, rv uint64) hub.PodEvent {
		return hub.PodEvent{Type: typ, Pod: p, RV: rv}
	})
	s.objects.init(start, func(typ watch.EventType, key Key, o hub.Object, rv uint64) hub.ObjectEvent {
		return hub.ObjectEvent{Type: typ, Kind: key.Kind, Object: o, RV: rv}
	})
	return s
}

// SetPod shows a pod as it is now, if it is not shown so already. backoffs are the ends of the back-offs of its containers.
// It says whether that is news.
func (s *Store) SetPod(p *corev1.Pod, backoffs map[string]state.BootTime) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.pods.set(p.UID, p)
	delete(s.backoffs, p.UID)
	if backoffs != nil {
		s.backoffs[p.UID] = backoffs
	}
	return news
}

// RemovePod takes a pod away.
func (s *Store) RemovePod(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods.remove(uid)
	delete(s.backoffs, uid)
}

// SetRefusedPods shows manifests that no pod runs for as pods that wait, each with its sentence, in place of those of
// before.
func (s *Store) SetRefusedPods(problems []manifest.Problem, now time.Time, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[types.UID]*corev1.Pod{}
	for i := range problems {
		pod := refusedPod(&problems[i], now, node)
		if old := s.pods.shown[pod.UID]; old != nil {
			pod.CreationTimestamp = old.CreationTimestamp
		}
		next[pod.UID] = pod
	}
	for uid := range s.refused {
		if next[uid] == nil {
			s.pods.remove(uid)
			delete(s.refused, uid)
		}
	}
	for uid, p := range next {
		s.pods.set(uid, p)
		s.refused[uid] = true
	}
}

// Pods lists what there is, by namespace and name, with the resource version of that picture.
func (s *Store) Pods() ([]*corev1.Pod, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*corev1.Pod, 0, len(s.pods.shown))
	now := state.Now().Mono
	for uid, p := range s.pods.shown {
		if ends := s.backoffs[uid]; ends != nil {
			p = status.WithTimeLeft(p, ends, now)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return out, s.pods.rv
}

// WatchPods delivers every change of a pod after since.
func (s *Store) WatchPods(since uint64) (<-chan hub.PodEvent, func(), error) {
	return s.pods.hub.Watch(since)
}

// SetObject shows an object as it is now, if it is not shown so already. It may be one that the folder does not have (an
// EndpointSlice); its owner then removes it, too.
func (s *Store) SetObject(kind string, value hub.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := Key{kind, value.GetNamespace(), value.GetName()}
	delete(s.standins, key)
	s.objects.set(key, value)
}

// SetRefusedObjects shows documents of which there is no good version, each with its sentence, in place of those of before.
func (s *Store) SetRefusedObjects(problems []manifest.Problem, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[Key]hub.Object{}
	for i := range problems {
		key, at := ProblemKey(&problems[i]), now
		if old := s.objects.shown[key]; s.standins[key] && old.GetUID() == refusedUID(&problems[i]) {
			at = objectmeta.Of(old).CreationTimestamp.Time
		}
		next[key] = refusedObject(&problems[i], at)
	}
	for key := range s.standins {
		if next[key] == nil {
			s.objects.remove(key)
			delete(s.standins, key)
		}
	}
	for key, o := range next {
		s.objects.set(key, o)
		s.standins[key] = true
	}
}

// RemoveObject takes an object away.
func (s *Store) RemoveObject(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.standins, key)
	s.objects.remove(key)
}

// Objects lists the objects of a kind, in no order, with the resource version of that picture; "": those of all kinds that
// podd stores, and does not act on.
func (s *Store) Objects(kind string) ([]hub.Object, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []hub.Object
	for key, value := range s.objects.shown {
		_, stored := value.(*kinds.Stored)
		if key.Kind == kind || kind == "" && stored {
			list = append(list, value)
		}
	}
	return list, s.objects.rv
}

// Version is the resource version of an object, "" if there is none.
func (s *Store) Version(key Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects.shown[key]; o != nil {
		return objectmeta.Of(o).ResourceVersion
	}
	return ""
}

// WatchObjects delivers every change of an object of any kind after since.
func (s *Store) WatchObjects(since uint64) (<-chan hub.ObjectEvent, func(), error) {
	return s.objects.hub.Watch(since)
}

// SetProblems takes the sentences about the folder of now. The caller leaves the slice alone afterwards.
func (s *Store) SetProblems(problems []manifest.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = problems
}

// ObjectProblems are the sentences about documents of a kind that were refused; "": of all kinds but Pod, and about files
// that hold no object.
func (s *Store) ObjectProblems(kind string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for i := range s.problems {
		if p := &s.problems[i]; (!OfPod(p) || p.Reason == manifest.ReasonEmpty) && (kind == "" || p.Kind == kind) {
			list = append(list, p.Message)
		}
	}
	return list
}

// history is how many changes a watcher may be behind.
const history = 256

// collection is what is shown of one sort, with a number for each change and those who watch the changes.
type collection[K comparable, V hub.Object, E any] struct {
	rv    uint64
	shown map[K]V
	hub   *hub.Hub[E]
	event func(typ watch.EventType, key K, value V, rv uint64) E
}

func (c *collection[K, V, E]) init(start uint64, event func(watch.EventType, K, V, uint64) E) {
	*c = collection[K, V, E]{rv: start, shown: map[K]V{}, hub: hub.New[E](start, history), event: event}
}

func (c *collection[K, V, E]) set(key K, value V) (news bool) {
	typ := watch.Added
	if old, ok := c.shown[key]; ok {
		objectmeta.Of(value).ResourceVersion = objectmeta.Of(old).ResourceVersion
		if equality.Semantic.DeepEqual(old, value) {
			return false
		}
		typ = watch.Modified
	}
	c.shown[key] = value
	c.emit(typ, key, value)
	return true
}

func (c *collection[K, V, E]) remove(key K) {
	old, ok := c.shown[key]
	if !ok {
		return
	}
	delete(c.shown, key)
	c.emit(watch.Deleted, key, ShallowCopy(old)) // the version of the deletion is not that of the lists before
}

// emit numbers a change and hands it on.
func (c *collection[K, V, E]) emit(typ watch.EventType, key K, value V) {
	c.rv++
	objectmeta.Of(value).ResourceVersion = strconv.FormatUint(c.rv, 10)
	c.hub.Publish(c.rv, c.event(typ, key, value, c.rv))
}

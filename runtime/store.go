package runtime

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api"
	"podd/runtime/container"
	"podd/runtime/manifest"
	"podd/runtime/state"
	"podd/runtime/status"
)

// history is how many changes a watcher may be behind.
const history = 256

// Store holds the pods as the API shows them. The loop publishes; readers never wait for the loop.
type Store struct {
	mu      sync.Mutex
	rv      uint64
	pods    map[types.UID]*corev1.Pod
	refused map[types.UID]*corev1.Pod
	// backoffs has the ends of the back-offs of the pods that are in one, since boot.
	backoffs map[types.UID]map[string]state.BootTime
	hub      *api.Hub[api.PodEvent]
}

func newStore() *Store {
	// Versions of an earlier daemon stay below those of this one, as long as the clock of the boot goes on.
	start := state.Now().Mono.Milliseconds()
	return &Store{
		rv:       start,
		pods:     map[types.UID]*corev1.Pod{},
		refused:  map[types.UID]*corev1.Pod{},
		backoffs: map[types.UID]map[string]state.BootTime{},
		hub:      api.NewHub[api.PodEvent](start, history),
	}
}

// publish shows a pod as it is now, if it is not shown so already. One that waits for the end of another of
// its name is not there yet: names are unique.
func (r *Runtime) publish(p *pod, now state.Instant) {
	r.prober.Sync(&p.probes, p.rec, now)
	if p.rec.State == state.PodWaiting && r.blocked(p) {
		return
	}
	shown := status.Build(p.rec, r.statusFacts(p, now))
	p.rec.NoteConditions(shown.Status.Conditions, now)
	r.noteService(p, shown)
	r.store.set(shown, status.BackoffEnds(p.rec, now.Mono))
}

func (r *Runtime) statusFacts(p *pod, now state.Instant) status.Facts {
	f := status.Facts{
		Now: now, NodeName: r.NodeName, HostIPs: r.boardIPs(), QOSClass: manifest.QOSClass(&p.rec.Object.Spec),
		Unfit: p.unfit, ShutDown: r.stopping, RecursiveReadOnly: container.CanReadOnlyRecursively(),
	}
	if p.problem != nil {
		f.Refused = &corev1.PodCondition{Type: api.ManifestAccepted, Status: corev1.ConditionFalse, Reason: p.problem.Reason, Message: p.problem.Message}
	}
	return f
}

func (s *Store) set(p *corev1.Pod, backoffs map[string]state.BootTime) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(s.pods, p)
	delete(s.backoffs, p.UID)
	if backoffs != nil {
		s.backoffs[p.UID] = backoffs
	}
}

func (s *Store) put(in map[types.UID]*corev1.Pod, p *corev1.Pod) {
	old := in[p.UID]
	event := api.PodEvent{Type: watch.Added, Pod: p}
	if old != nil {
		p.ResourceVersion = old.ResourceVersion
		if equality.Semantic.DeepEqual(old, p) {
			return
		}
		event.Type = watch.Modified
	}
	in[p.UID] = p
	s.emit(event)
}

func (s *Store) remove(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(s.pods, uid)
	delete(s.backoffs, uid)
}

func (s *Store) drop(in map[types.UID]*corev1.Pod, uid types.UID) {
	old := in[uid]
	if old == nil {
		return
	}
	delete(in, uid)
	last := *old
	s.emit(api.PodEvent{Type: watch.Deleted, Pod: &last})
}

// emit numbers a change and hands it on.
func (s *Store) emit(e api.PodEvent) {
	s.rv++
	e.RV = s.rv
	e.Pod.ResourceVersion = strconv.FormatUint(s.rv, 10)
	s.hub.Publish(s.rv, e)
}

// Pods lists what there is, by namespace and name.
func (s *Store) Pods() ([]*corev1.Pod, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*corev1.Pod, 0, len(s.pods)+len(s.refused))
	now := state.Now().Mono
	for uid, p := range s.pods {
		if ends := s.backoffs[uid]; ends != nil {
			p = status.WithTimeLeft(p, ends, now)
		}
		out = append(out, p)
	}
	for _, p := range s.refused {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return out, s.rv
}

// Watch delivers every change after since.
func (s *Store) Watch(since uint64) (<-chan api.PodEvent, func(), error) { return s.hub.Watch(since) }

// setRefused shows manifests that no pod runs for as pods that wait, each with its sentence.
func (s *Store) setRefused(problems []manifest.Problem, now time.Time, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[types.UID]*corev1.Pod{}
	for _, p := range problems {
		pod := refusedPod(p, now, node)
		if old := s.refused[pod.UID]; old != nil {
			pod.CreationTimestamp = old.CreationTimestamp
		}
		next[pod.UID] = pod
	}
	for uid := range s.refused {
		if next[uid] == nil {
			s.drop(s.refused, uid)
		}
	}
	for _, p := range next {
		s.put(s.refused, p)
	}
}

func refusedPod(p manifest.Problem, now time.Time, node string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = cmp.Or(p.Namespace, "default"), refusedName(p)
	pod.UID = refusedUID(p)
	pod.CreationTimestamp = metav1.NewTime(now)
	pod.Spec.NodeName = node
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, Reason: p.Reason, Message: p.Message}
	return pod
}

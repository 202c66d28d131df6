package runtime

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api"
	"podd/runtime/manifest"
	"podd/runtime/state"
)

// objectKey names an object of the folder that is not a Pod; namespace is "" for kinds without namespaces.
type objectKey struct{ kind, namespace, name string }

func keyOfObject(o *manifest.Object) objectKey { return objectKey{o.Kind, o.Namespace, o.Name} }

// objects are the folder's objects of all kinds but Pod, twice: as the manifests say, for the runtime, and as the API
// shows them, which may say more (the status of a claim). Everybody may read them.
type objects struct {
	// wanted is replaced whole by the loop, never changed.
	wanted atomic.Pointer[map[objectKey]*manifest.Object]

	mu       sync.Mutex
	rv       uint64
	shown    map[objectKey]api.Object
	problems []manifest.Problem
	locked   map[objectKey]string // why a sealed Secret cannot be opened
	hub      *api.Hub[api.ObjectEvent]
}

func newObjects() *objects {
	start := state.Now().Mono.Milliseconds() // as newStore
	o := &objects{rv: start, shown: map[objectKey]api.Object{}, locked: map[objectKey]string{}, hub: api.NewHub[api.ObjectEvent](start, history)}
	o.wanted.Store(&map[objectKey]*manifest.Object{})
	return o
}

// get returns what the folder says of an object, or nil.
func (o *objects) get(kind, namespace, name string) *manifest.Object {
	return (*o.wanted.Load())[objectKey{kind, namespace, name}]
}

// of lists the folder's objects of one kind, by namespace and name.
func (o *objects) of(kind string) []*manifest.Object {
	var list []*manifest.Object
	for key, object := range *o.wanted.Load() {
		if key.kind == kind {
			list = append(list, object)
		}
	}
	slices.SortFunc(list, func(a, b *manifest.Object) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// show publishes an object as it is now, if it is not shown so already. It may be one that the folder does not have
// (an EndpointSlice); its owner then hides it, too. value must not be changed afterwards, but for its version here.
func (o *objects) show(kind string, value api.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := objectKey{kind, value.GetNamespace(), value.GetName()}
	event := api.ObjectEvent{Type: watch.Added, Kind: kind, Object: value}
	if old := o.shown[key]; old != nil {
		value.SetResourceVersion(old.GetResourceVersion())
		if equality.Semantic.DeepEqual(old, value) {
			return
		}
		event.Type = watch.Modified
	}
	o.shown[key] = value
	o.emit(event)
}

// hide takes an object away from the API.
func (o *objects) hide(key objectKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.shown[key]
	if old == nil {
		return
	}
	delete(o.shown, key)
	o.emit(api.ObjectEvent{Type: watch.Deleted, Kind: key.kind, Object: shallow(old)})
}

func (o *objects) emit(e api.ObjectEvent) {
	o.rv++
	e.RV = o.rv
	e.Object.SetResourceVersion(strconv.FormatUint(o.rv, 10))
	o.hub.Publish(o.rv, e)
}

func (o *objects) setProblems(problems []manifest.Problem) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.problems = problems
}

// takeObjects makes the objects of a scan the present ones and tells whom a change concerns.
func (r *Runtime) takeObjects(list []manifest.Object, now state.Instant) {
	before := *r.objects.wanted.Load()
	wanted := make(map[objectKey]*manifest.Object, len(list))
	changed := map[objectKey]bool{}
	for i := range list {
		o := &list[i]
		key := keyOfObject(o)
		if old := before[key]; old != nil && old.Hash == o.Hash {
			o = withValue(o, old.Value)
		} else {
			o = r.admit(o, now)
			changed[key] = true
		}
		wanted[key] = o
	}
	for key := range before {
		if wanted[key] == nil {
			changed[key] = true
		}
	}
	r.objects.wanted.Store(&wanted)
	r.services.known = true
	if len(changed) > 0 {
		r.objectsChanged(changed, now)
	}
}

func withValue(o *manifest.Object, value manifest.Value) *manifest.Object {
	out := *o
	out.Value = value
	return &out
}

// admit prepares a new version of an object for those who use it.
func (r *Runtime) admit(o *manifest.Object, now state.Instant) *manifest.Object {
	value := shallow(o.Value)
	if s, ok := value.(*corev1.Secret); ok {
		r.unseal(keyOfObject(o), s, now)
		r.warnReadable(o, s, now)
	}
	value.SetCreationTimestamp(metav1.NewTime(o.Since))
	return withValue(o, value)
}

// objectsChanged shows changed objects and looks again at whatever depends on them. A kind whose shown form is not its
// manifest (it has a status) has a case here.
func (r *Runtime) objectsChanged(changed map[objectKey]bool, now state.Instant) {
	r.bindClaims(now)
	for key := range changed {
		if key.kind == kindClaim || key.kind == kindVolume {
			if r.objects.get(key.kind, key.namespace, key.name) == nil {
				r.objects.hide(key)
			}
			continue
		}
		o := r.objects.get(key.kind, key.namespace, key.name)
		if key.kind == kindService || key.kind == kindEndpointSlice {
			r.services.changed = true
		}
		switch {
		case o == nil:
			r.objects.hide(key)
		case key.kind == kindService: // it is shown with its address
		default:
			r.objects.show(key.kind, shallow(o.Value))
		}
	}
	for uid, p := range r.pods {
		if refersToAny(p.rec.Object, changed) || waitsForClaim(p) {
			r.retryConfig(p)
			r.refreshVolumes(p)
			r.mark(uid)
		}
	}
}

// shallow copies an object without what it points to: whoever gets it may set its metadata, and large data is there once.
func shallow[O api.Object](o O) O {
	value := reflect.ValueOf(o).Elem()
	out := reflect.New(value.Type())
	out.Elem().Set(value)
	return out.Interface().(O)
}

func objectReference(kind, namespace, name string) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: namespace, Name: name}
}

// Objects lists the objects of a kind as the API shows them.
func (b *Backend) Objects(kind string) ([]api.Object, uint64) {
	o := b.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []api.Object
	for key, value := range o.shown {
		if key.kind == kind {
			list = append(list, value)
		}
	}
	return list, o.rv
}

// WatchObjects delivers changes of objects of all kinds.
func (b *Backend) WatchObjects(since uint64) (<-chan api.ObjectEvent, func(), error) {
	return b.objects.hub.Watch(since)
}

// ObjectProblems are the sentences about documents of a kind that were refused; "": of all kinds but Pod.
func (b *Backend) ObjectProblems(kind string) []string {
	o := b.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []string
	for i := range o.problems {
		if p := &o.problems[i]; !ofPod(p) && (kind == "" || p.Kind == kind) {
			list = append(list, p.Message)
		}
	}
	return list
}

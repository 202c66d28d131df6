package objects

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/internal/objectmeta"
	"podd/runtime/manifest"
	"podd/runtime/manifest/kinds"
	"podd/runtime/seal"
)

// Desired holds the folder's objects of all kinds but Pod, as the manifests say. Sealed Secrets are open in it. It belongs
// to the loop.
type Desired struct {
	// Keys open the board's sealed Secrets.
	Keys seal.Keys
	// RecordEvent is told what is wrong with a Secret.
	RecordEvent func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log         *slog.Logger

	objects map[Key]*manifest.Object
	made    map[Key]*manifest.Object // by controllers, for those that the folder does not have
	locked  map[Key]error            // why a sealed Secret cannot be opened
}

// Known says whether the objects of a scan were taken in yet.
func (d *Desired) Known() bool { return d.objects != nil }

// Get returns what the folder says of an object, or nil.
func (d *Desired) Get(kind, namespace, name string) *manifest.Object {
	return d.objects[Key{kind, namespace, name}]
}

// List returns the folder's objects of one kind, by namespace and name.
func (d *Desired) List(kind string) []*manifest.Object {
	var list []*manifest.Object
	for key, object := range d.objects {
		if key.Kind == kind {
			list = append(list, object)
		}
	}
	slices.SortFunc(list, func(a, b *manifest.Object) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Locked is the sentence about a sealed Secret that could not be opened, or nil.
func (d *Desired) Locked(key Key) error { return d.locked[key] }

// Replace takes the objects of a scan in place of the present ones, and returns those that are new, changed or gone. What
// has not changed keeps its value.
func (d *Desired) Replace(list []manifest.Object, now time.Time) (changed map[Key]bool) {
	before := d.objects
	d.objects, changed = make(map[Key]*manifest.Object, len(list)), map[Key]bool{}
	for i := range list {
		o := list[i]
		key := KeyOf(&o)
		if old := before[key]; old != nil && old.Hash == o.Hash {
			o.Value = old.Value
		} else {
			o.Value = d.prepare(&o, now)
			changed[key] = true
		}
		d.objects[key] = &o
	}
	for key, o := range d.made {
		if d.objects[key] == nil {
			d.objects[key] = o
			if old := before[key]; old == nil || old.Hash != o.Hash {
				changed[key] = true
			}
		}
	}
	for key := range before {
		if d.objects[key] == nil {
			delete(d.locked, key)
			changed[key] = true
		}
	}
	return changed
}

// SetMade takes the objects that controllers have made in place of those of before, and returns those that are new, changed
// or gone. Where the folder has one of the name it is the folder's that counts.
func (d *Desired) SetMade(list []manifest.Object) (changed map[Key]bool) {
	before := d.made
	d.made, changed = make(map[Key]*manifest.Object, len(list)), map[Key]bool{}
	for i := range list {
		o := list[i]
		key := KeyOf(&o)
		d.made[key] = &o
		if of := d.objects[key]; d.objects != nil && (of == nil || of == before[key]) {
			d.objects[key] = &o
			if of == nil || of.Hash != o.Hash {
				changed[key] = true
			}
		}
	}
	for key, old := range before {
		if d.made[key] == nil && d.objects[key] == old && old != nil {
			delete(d.objects, key)
			changed[key] = true
		}
	}
	return changed
}

// prepare makes the value of a new version of an object ready for those who use it.
func (d *Desired) prepare(o *manifest.Object, now time.Time) kinds.Value {
	value := ShallowCopy(o.Value)
	if s, ok := value.(*corev1.Secret); ok {
		d.unseal(KeyOf(o), s, now)
		d.warnReadable(o, s, now)
	}
	objectmeta.Of(value).CreationTimestamp = metav1.NewTime(o.Since)
	return value
}

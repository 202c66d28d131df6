package api

import (
	"cmp"
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// object is what corev1.Pod, Event, Node and Namespace have in common.
type object = Object

// change is one change of any kind of object.
type change struct {
	Type watch.EventType
	obj  object
	rv   uint64
}

// changes is a running watch. next waits for a change; false when there will be none:
// ctx ended, or the watcher was dropped.
type changes struct {
	next func(ctx context.Context) (change, bool)
	stop func()
}

// kind is all that the generic list, get and watch need to know of one kind of object.
type kind struct {
	resource   string // as in paths: "pods"
	name       string // as in objects: "Pod"
	group      string // of the API and its version: "apps/v1"; "": v1
	short      []string
	namespaced bool
	folder     bool // see folderKinds
	all        bool // get all shows it
	list       func(Backend) (items []object, resourceVersion uint64)
	watch      func(b Backend, since uint64) (changes, error)
	blank      func() object
	complete   func(object) object // a shallow copy with kind and apiVersion
	fields     func(object) fields.Set
	columns    func() []metav1.TableColumnDefinition
	row        func(o object, now time.Time) metav1.TableRow
}

// follow makes changes of a typed channel.
func follow[E any](ch <-chan E, cancel func(), convert func(E) change) changes {
	return changes{
		stop: cancel,
		next: func(ctx context.Context) (change, bool) {
			select {
			case e, ok := <-ch:
				if !ok {
					return change{}, false
				}
				return convert(e), true
			case <-ctx.Done():
				return change{}, false
			}
		},
	}
}

// unchanging is the watch of what does not change while podd runs.
func unchanging(Backend, uint64) (changes, error) {
	return changes{
		stop: func() {},
		next: func(ctx context.Context) (change, bool) {
			<-ctx.Done()
			return change{}, false
		},
	}, nil
}

// version is the apiVersion of the kind's objects.
func (k *kind) version() string { return cmp.Or(k.group, "v1") }

// root is where the kind's paths begin.
func (k *kind) root() string {
	if k.group == "" {
		return "/api/v1/"
	}
	return "/apis/" + k.group + "/"
}

func (k *kind) listMeta() metav1.TypeMeta {
	return metav1.TypeMeta{Kind: k.name + "List", APIVersion: k.version()}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: "v1"}
}

// Package kinds has a row for each kind of object that the API serves: names, paths, where its objects come from, which
// fields select them, how they print.
package kinds

import (
	"cmp"
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"podd/runtime/api/hub"
)

// Source is where the kinds' objects come from.
type Source interface {
	// Pods returns every pod and the resource version of that picture.
	Pods() (list []*corev1.Pod, resourceVersion uint64)
	// WatchPods delivers every change after since, in order. A channel that is closed
	// before cancel was called means that the watcher was too slow. ErrTooOld when since
	// is no longer, or not yet, known.
	WatchPods(since uint64) (changes <-chan hub.PodEvent, cancel func(), err error)
	// Events returns the recorded events, oldest first.
	Events() (list []corev1.Event, resourceVersion uint64)
	// WatchEvents is to events what WatchPods is to pods.
	WatchEvents(since uint64) (changes <-chan hub.EventEvent, cancel func(), err error)
	// Objects returns the objects of a kind of the folder (see Folder) and the resource version of that picture; "": those
	// of all kinds that podd stores and does not act on.
	Objects(kind string) (list []hub.Object, resourceVersion uint64)
	// WatchObjects is to the objects of all those kinds what WatchPods is to pods.
	WatchObjects(since uint64) (changes <-chan hub.ObjectEvent, cancel func(), err error)
	// ObjectProblems returns the sentences about refused documents of a kind; "": of all those kinds.
	ObjectProblems(kind string) []string
	// Node describes this machine.
	Node() *corev1.Node
}

// Object is what corev1.Pod, Event, Node and Namespace have in common.
type Object = hub.Object

// Change is one change of any kind of object.
type Change struct {
	Type watch.EventType
	Obj  Object
	RV   uint64 // resource version after it
}

// Changes is a running watch. next waits for a change; false when there will be none:
// ctx ended, or the watcher was dropped.
type Changes struct {
	Next func(ctx context.Context) (Change, bool)
	Stop func()
}

// Kind is all that the generic list, get and watch need to know of one kind of object.
type Kind struct {
	Resource   string // as in paths: "pods"
	Name       string // as in objects: "Pod"
	Group      string // of the API and its version: "apps/v1"; "": v1
	Short      []string
	Namespaced bool
	Folder     bool     // see Folder
	All        bool     // get all shows it
	Stored     bool     // podd does not act on it
	Versions   []string // of its group that are served beside Group; nil: none
	key        string   // its name among the folder's objects; "": Name
	List       func(Source) (items []Object, resourceVersion uint64)
	Watch      func(b Source, since uint64) (Changes, error)
	Blank      func() Object
	Complete   func(Object) Object // a shallow copy with kind and apiVersion
	Fields     func(Object) fields.Set
	Columns    func() []metav1.TableColumnDefinition
	Row        func(o Object, now time.Time) metav1.TableRow
}

// follow is the watch of a typed channel.
func follow[E any](watch func(b Source, since uint64) (<-chan E, func(), error), convert func(E) Change) func(Source, uint64) (Changes, error) {
	return func(b Source, since uint64) (Changes, error) {
		ch, cancel, err := watch(b, since)
		if err != nil {
			return Changes{}, err
		}
		return Changes{
			Stop: cancel,
			Next: func(ctx context.Context) (Change, bool) {
				select {
				case e, ok := <-ch:
					if !ok {
						return Change{}, false
					}
					return convert(e), true
				case <-ctx.Done():
					return Change{}, false
				}
			},
		}, nil
	}
}

// unchanging is the watch of what does not change while podd runs.
func unchanging(Source, uint64) (Changes, error) {
	return Changes{
		Stop: func() {},
		Next: func(ctx context.Context) (Change, bool) {
			<-ctx.Done()
			return Change{}, false
		},
	}, nil
}

// Version is the apiVersion of the kind's objects.
func (k *Kind) Version() string { return cmp.Or(k.Group, "v1") }

// Root is where the kind's paths begin.
func (k *Kind) Root() string {
	if k.Group == "" {
		return "/api/v1/"
	}
	return "/apis/" + k.Group + "/"
}

// ListMeta is that of a list of the kind.
func (k *Kind) ListMeta() metav1.TypeMeta {
	return metav1.TypeMeta{Kind: k.Name + "List", APIVersion: k.Version()}
}

// TypeMeta is that of an object of v1.
func TypeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: "v1"}
}

// blank makes an empty object of a type.
func blank[T any, P interface {
	*T
	Object
}]() Object {
	return P(new(T))
}

// GroupName is the part of the group before its version, "" for v1.
func (k *Kind) GroupName() string {
	name, _, _ := strings.Cut(k.Group, "/")
	return name
}

// Singular is the name in the singular, as "pod".
func (k *Kind) Singular() string { return strings.ToLower(k.Name) }

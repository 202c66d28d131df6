package hub

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// ErrTooOld says that the changes since a resource version are not all known: the client
// must list again. It reaches the client as 410 Expired.
var ErrTooOld = errors.New("too old resource version")

// PodEvent is one change of one pod; RV is the resource version after it.
type PodEvent struct {
	Type watch.EventType // Added, Modified or Deleted
	Pod  *corev1.Pod     // for Deleted: the last state
	RV   uint64
}

// Object is an object of the Kubernetes API.
type Object interface {
	metav1.Object
	runtime.Object
}

// ObjectEvent is one change of one object.
type ObjectEvent struct {
	Type   watch.EventType
	Kind   string
	Object Object
	RV     uint64
}

// EventEvent is one change of the list of events.
type EventEvent struct {
	Type  watch.EventType
	Event *corev1.Event
	RV    uint64
}

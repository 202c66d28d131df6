package workload

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Object is an object of the Kubernetes API.
type Object interface {
	metav1.Object
	runtime.Object
}

// Input is what a controller looks at beside its object. Compute changes nothing in it, and keeps nothing of it but in
// its Result, whose objects may share parts with those here: they are values, to be replaced and never written to.
type Input struct {
	// Now is the board's clock. Conditions and creation times are of this clock too: who sets the clock of a board
	// forward moves them with it, or a rollout seems to have made no progress since 1970.
	Now time.Time
	// Pods are those that may concern the object: all of its namespace, or those of its own and those of nobody. Pods
	// that end or have ended are among them as long as they are there.
	Pods []*corev1.Pod
	// The objects that may be its children, or have the name of one: all of its namespace. Nil where the kind has no such
	// children.
	ReplicaSets []*appsv1.ReplicaSet            // of a Deployment
	Jobs        []*batchv1.Job                  // of a CronJob
	Revisions   []*appsv1.ControllerRevision    // of a StatefulSet, of a DaemonSet
	Claims      []*corev1.PersistentVolumeClaim // of a StatefulSet
	// Node is the board, for a DaemonSet.
	Node *corev1.Node
	// Scales are the numbers of pods that controllers want, by the UID that their pods name, for a PodDisruptionBudget.
	Scales map[types.UID]Scale
	// Sequence counts the pods and children that this object has made so far. It is kept with the object.
	Sequence int64
	// HoldUntil is when the next pod may take the place of one that has failed; zero, or past: at once. Pods that fail again
	// and again, as those do that the board rejects, are made at a rate that ends.
	HoldUntil time.Time
	// ClockUnset says that the board has not learned the date yet: a CronJob waits.
	ClockUnset bool
	// CreateError says why pods of the last result could not be made; empty: they could. A controller asks for no more
	// of them as long as it is there, and says it in its status. Who carries out takes it away when it is time to try
	// again, and says "FailedCreate" in an event of type Warning: "Error creating: …".
	CreateError string
}

// Scale is how many pods a controller wants.
type Scale struct {
	Of       types.UID // the object that says so: a Deployment, for the pods of its ReplicaSets
	Replicas int32
}

// Result is one step of a controller.
type Result struct {
	// Object is the object as it is now: with its new status, and with metadata that is the controller's (annotations of
	// a Deployment). Nil: nothing in it has changed.
	Object Object
	// Sequence is to be kept with the object. It is never smaller than the input's.
	Sequence int64
	// Write are children to be made or replaced: ReplicaSets, Jobs, ControllerRevisions, claims. Their UIDs are set.
	// A child that is there keeps its status: it is for its own controller to say.
	Write []Object
	// Remove are children to be removed, with what they own; or the object itself, whose time has come.
	Remove []Object
	// Create are pods to be made. Name, UID, owner and creation time are set.
	Create []*corev1.Pod
	// Update are pods whose labels, annotations, owners or finalizers have changed.
	Update []*corev1.Pod
	// Delete are pods to be ended with their grace, and then removed.
	Delete []*corev1.Pod
	// Events are about the object.
	Events []Event
	// Wake is when to look again though nothing has changed; zero: never.
	Wake time.Time
}

// Event is one sentence about an object.
type Event struct {
	Type    string // corev1.EventTypeNormal or EventTypeWarning
	Reason  string // CamelCase
	Message string
}

// Settled says that the step leaves the world as it is.
func (r *Result) Settled() bool {
	return r.Object == nil && len(r.Write)+len(r.Remove)+len(r.Create)+len(r.Update)+len(r.Delete) == 0
}

// WakeAt asks for a look at t, if none is asked for earlier.
func (r *Result) WakeAt(t time.Time) {
	if !t.IsZero() && (r.Wake.IsZero() || t.Before(r.Wake)) {
		r.Wake = t
	}
}

// Normal adds an event.
//
//go:noinline
func (r *Result) Normal(reason, message string) {
	r.Events = append(r.Events, Event{corev1.EventTypeNormal, reason, message})
}

// Warning adds an event.
//
//go:noinline
func (r *Result) Warning(reason, message string) {
	r.Events = append(r.Events, Event{corev1.EventTypeWarning, reason, message})
}

// Time is Now as the API writes it, in whole seconds.
func (in *Input) Time() metav1.Time { return metav1.NewTime(in.Now.Truncate(time.Second)) }

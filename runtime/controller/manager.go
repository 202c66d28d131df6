// Package controller runs the controllers of workloads for the loop: it knows their objects and what they have made of them,
// asks the pure functions of runtime/workload for the next step when something has changed that a controller looks at,
// carries the step out, and keeps on disk what must outlive the daemon or the boot. It has no goroutine and no timer: the
// loop calls it, and is told when to call again.
package controller

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/workload"
)

// Loop is what controllers ask of the loop, which has the pods.
type Loop interface {
	// CreatePod makes a pod, or says in the API server's words why there cannot be one. owner is the object of the folder
	// for which it is made.
	CreatePod(pod *corev1.Pod, owner Origin, now state.Instant) error
	// UpdatePod gives a pod other labels, annotations, owners and finalizers.
	UpdatePod(pod *corev1.Pod, now state.Instant)
	// DeletePod ends a pod with its grace, and forgets it.
	DeletePod(uid types.UID, now state.Instant)
	// Made says whether a pod was made by CreatePod, and is not one of the folder.
	Made(uid types.UID) bool
	// Node is the board.
	Node() *corev1.Node
	// ClaimsChanged says which claims controllers have made or removed.
	ClaimsChanged(changed map[objects.Key]bool, now state.Instant)
}

// Origin is the place in the folder of what a pod is made for.
type Origin struct {
	File  string
	Doc   int
	Since time.Time
	// Pins are the IDs of images, by container, of a version that was put back.
	Pins map[string]string
}

// Manager belongs to the loop.
type Manager struct {
	Loop    Loop
	Objects *objects.Desired // what the manifests say
	Store   *objects.Store   // where workloads are shown with their status
	Disk    *state.Disk
	// RecordEvent is told what controllers have to say.
	RecordEvent func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log         *slog.Logger
	// RunDir and RootDir hold the files: of this boot, and of all.
	RunDir, RootDir string

	entries    map[types.UID]*entry
	names      map[objects.Key]types.UID
	pods       map[types.UID]*corev1.Pod // as they are shown, and those whose end nobody has counted yet
	ending     map[types.UID]bool        // pods that were told to end
	ghosts     map[types.UID]bool        // pods that are gone, and have a finalizer
	claims     map[objects.Key]*manifest.Object
	over       overJobs
	lost       map[string]bool // files of trees that could not be believed, until the folder was looked at
	rolledBack bool            // since RolledBack was asked
	ownersGone bool            // of claims, perhaps: see collectClaims
	taken      bool            // the folder's objects were looked at
	unsaved    map[types.UID]bool
	written    map[types.UID]string      // what is on flash of a root: a sum of it
	files      map[objects.Key]types.UID // whose files may be there
	refused    map[objects.Key]refusal   // of objects that the folder has in a version that was not taken
	unfollowed []manifest.Problem        // versions of the folder that cannot follow what there is
	never      map[objects.Key]string    // why objects are not there of which no version was taken
	clock      time.Duration             // the board's clock less the time since boot, as times of objects were written
}

// New makes a Manager of m's exported fields that knows nothing yet.
func New(m *Manager) *Manager {
	m.entries, m.names, m.pods = map[types.UID]*entry{}, map[objects.Key]types.UID{}, map[types.UID]*corev1.Pod{}
	m.ending, m.ghosts, m.claims = map[types.UID]bool{}, map[types.UID]bool{}, map[objects.Key]*manifest.Object{}
	m.over, m.lost = overJobs{}, map[string]bool{}
	m.unsaved, m.written, m.files = map[types.UID]bool{}, map[types.UID]string{}, map[objects.Key]types.UID{}
	return m
}

// entry is one object of a kind that a controller acts for, or that a controller has made.
type entry struct {
	key      objects.Key
	object   workload.Object // with its status; replaced, never changed
	parent   types.UID       // whose child it is; "": it is of the folder
	sequence int64
	dirty    bool
	wake     time.Time // of the board's clock
	// Why pods of the last step could not be made; "": they could. It is tried again when something has changed.
	createError string
	// A back-off: how many rounds of pods have failed, and until when the next is held back (since boot). See noteFailure.
	failures int
	hold     state.BootTime

	// Of what is of the folder:
	hash      string // of the manifest
	origin    Origin
	overrides []Override
	ended     map[types.UID]bool // pods of the folder that were adopted, and that the controller has ended
	good      *goodVersion
	trial     *trial
}

// kinds are those that a controller acts for.
func acts(kind string) bool {
	switch kind {
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController", "PodDisruptionBudget":
		return true
	}
	return false
}

// Shows says whether objects of a kind are shown by the Manager, with their status.
func Shows(kind string) bool { return acts(kind) }

// add makes an entry known.
func (m *Manager) add(e *entry) {
	m.entries[e.object.GetUID()] = e
	m.names[e.key] = e.object.GetUID()
	e.dirty = true
	m.markScales(e)
}

// drop forgets an entry.
func (m *Manager) drop(e *entry) {
	uid := e.object.GetUID()
	delete(m.entries, uid)
	m.ownersGone = true
	if m.names[e.key] == uid {
		delete(m.names, e.key)
		m.Store.RemoveObject(e.key)
	}
}

// get returns the entry of a name, or nil.
func (m *Manager) get(kind, namespace, name string) *entry {
	return m.entries[m.names[objects.Key{Kind: kind, Namespace: namespace, Name: name}]]
}

// root is the entry of the folder that an entry was made for.
func (m *Manager) root(e *entry) *entry {
	for e.parent != "" {
		up := m.entries[e.parent]
		if up == nil {
			return e
		}
		e = up
	}
	return e
}

// sorted lists the entries by their names, so that what depends on an order has one.
func (m *Manager) sorted() []*entry {
	list := make([]*entry, 0, len(m.entries))
	for _, e := range m.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return compareKeys(a.key, b.key) })
	return list
}

func compareKeys(a, b objects.Key) int {
	for _, c := range []int{strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind)} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// markUp looks again at an entry and at those that it was made for.
func (m *Manager) markUp(e *entry) {
	for e != nil {
		e.dirty = true
		e = m.entries[e.parent]
	}
}

// markScales looks again at the budgets that count with what an entry wants.
func (m *Manager) markScales(e *entry) {
	if e.key.Kind != kindBudget {
		m.markBudgets(e.key.Namespace)
	}
}

func (m *Manager) markBudgets(namespace string) {
	for _, e := range m.entries {
		if e.key.Kind == kindBudget && e.key.Namespace == namespace {
			e.dirty = true
		}
	}
}

const (
	kindBudget     = "PodDisruptionBudget"
	kindDeployment = "Deployment"
	kindReplicaSet = "ReplicaSet"
	kindStateful   = "StatefulSet"
	kindDaemon     = "DaemonSet"
	kindJob        = "Job"
	kindCron       = "CronJob"
	kindController = "ReplicationController"
	kindRevision   = "ControllerRevision"
	kindClaim      = "PersistentVolumeClaim"
)

// kindOf is the kind of an object that a controller has made.
func kindOf(o workload.Object) string { return versionOf(o).kind }

// reference refers to the object of an entry, for events.
func (e *entry) reference() corev1.ObjectReference {
	v := versionOf(e.object)
	return corev1.ObjectReference{
		APIVersion: v.apiVersion, Kind: v.kind, Namespace: e.key.Namespace, Name: e.key.Name, UID: e.object.GetUID(),
	}
}

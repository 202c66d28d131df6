// Package manifest turns a file of Kubernetes manifests into objects that podd can act on, and into sentences about what
// it cannot take (Parse). It decodes strictly into the k8s.io/api types, applies the API server's defaults, validates in
// the API server's words whatever a single node can judge, and refuses by one table the fields that podd does not act on.
//
// Below it: decode reads the text, defaults, validate and fields are about pods, kinds about all other objects, annotation,
// sysctl and resources are what these share, update compares two versions of a pod, and folder follows a folder of files.
package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/kinds"
)

// hashOf identifies the content of a defaulted object, without its UID.
func hashOf(o kinds.Value) string {
	sum := sha256.New()
	// The types encode in a fixed order and without errors.
	_ = json.NewEncoder(sum).Encode(o)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// uidOf derives a UID from the file and the content, so that the same manifest is the same pod after a restart of
// podd or of the board. It has the form of a UUID of version 8 (RFC 9562, section 5.8).
func uidOf(file string, pod *corev1.Pod, hash string) types.UID {
	return uidFrom(fmt.Appendf(nil, "podd\x00%s\x00%s\x00%s\x00%s", file, pod.Namespace, pod.Name, hash))
}

// objectUID is that of an object of another kind: who changes it has changed it, not made another one.
func objectUID(kind, namespace, name string) types.UID {
	return uidFrom(fmt.Appendf(nil, "podd\x00%s\x00%s\x00%s", kind, namespace, name))
}

func uidFrom(text []byte) types.UID {
	sum := sha256.Sum256(text)
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]))
}

// Pod is one accepted pod of the folder: decoded strictly, defaulted, validated, with namespace and UID set.
type Pod struct {
	Object *corev1.Pod // shared, never mutated
	File   string      // path as found in the folder
	Doc    int         // 0-based count of documents and list items in the file
	Hash   string      // of the defaulted object: comments, white space and spelled-out defaults do not change it
	Since  time.Time   // when this name was first seen in this file; among two files with one name the older wins
	Stale  bool        // the file is bad now, this is its last good version
	// RuntimeClass is the one that Object was admitted with; nil: none.
	RuntimeClass *nodev1.RuntimeClass
}

// Reasons of a Problem, in the form that events use.
const (
	ReasonCopy        = "CopyIgnored"        // the file is named like a copy
	ReasonEmpty       = "EmptyManifest"      // the file holds no document but null
	ReasonInvalid     = "InvalidManifest"    // not decodable, or the API server would reject it
	ReasonImageName   = "InvalidImageName"   // nothing is wrong but that the name of an image is none
	ReasonUnsupported = "UnsupportedField"   // valid, but uses a field that podd does not act on
	ReasonKind        = "UnsupportedKind"    // an object of a kind that podd does not know
	ReasonDuplicate   = "Duplicate"          // with the kind: an older file has an object of this kind and name
	ReasonImmutable   = "ImmutableObject"    // an object that says that it does not change has changed
	ReasonUnreadable  = "UnreadableManifest" // too large, not a regular file, or an I/O error
	ReasonPodSecurity = "PodSecurity"        // the namespace or the node does not allow what the pod asks for
	ReasonForbidden   = "Forbidden"          // its RuntimeClass is not there, or says otherwise
	ReasonFolder      = "ManifestFolderGone" // the folder itself cannot be read, or its file system is not mounted
)

// ReasonHangs is that of a folder whose file system does not answer.
const ReasonHangs = "ManifestFolderHangs"

// Problem is one thing wrong with the folder, ready to be shown.
type Problem struct {
	File            string
	Doc             int    // as in Pod
	Line            int    // 1-based, 0 if unknown
	Kind            string // of the object concerned if it is one that podd knows, else empty
	Namespace, Name string // of the object concerned, empty if unknown
	Reason          string // one of the Reason constants
	Message         string // one sentence naming file, field and remedy

	Other bool // surely not about a pod, but about a Service or the like, which often has the same name
}

// Concerns tells whether p may be about an object: a problem without a name may be about any.
func (p *Problem) Concerns(o *Object) bool {
	switch {
	case p.Other:
		return false
	case p.Name == "":
		return p.Kind == "" || p.Kind == o.Kind
	case p.Kind == "":
		return p.Name == o.Name && (p.Namespace == o.Namespace || o.Namespace == "")
	}
	return p.Kind == o.Kind && p.Name == o.Name && p.Namespace == o.Namespace
}

// Concern answers whether one of many problems may be about an object, without looking at each of them.
type Concern struct {
	named map[[3]string]bool // kind, namespace and name; those of whom the kind is not known without one
	kinds map[string]bool    // of problems without a name; "": of all
}

// NewConcern is that of problems.
func NewConcern(problems []Problem) Concern {
	c := Concern{map[[3]string]bool{}, map[string]bool{}}
	for i := range problems {
		switch p := &problems[i]; {
		case p.Other:
		case p.Name == "":
			c.kinds[p.Kind] = true
		default:
			c.named[[3]string{p.Kind, p.Namespace, p.Name}] = true
			if p.Kind == "" {
				c.named[[3]string{"", "", p.Name}] = true // for an object without a namespace
			}
		}
	}
	return c
}

// Has is Problem.Concerns for any of the problems.
func (c Concern) Has(o *Object) bool {
	return c.kinds[""] || c.kinds[o.Kind] || c.named[[3]string{o.Kind, o.Namespace, o.Name}] || c.named[[3]string{"", o.Namespace, o.Name}]
}

// Set is what the folder says at one moment.
type Set struct {
	Pods     []Pod    // ordered by file, then document
	Objects  []Object // of all other kinds, in the same order
	Problems []Problem
	// Gone means that the folder vanished (an unmounted card): Pods and Objects are the last known ones and stay.
	Gone bool
	// Unread means that a file is there of which nothing is known yet: it is still being written.
	Unread bool
	// RecheckAfter asks for another Scan after this time even without a hint; 0 asks for none.
	RecheckAfter time.Duration
}

// Hides tells whether an object that is not in the Set may be in the folder all the same: in a file that has not been
// read, or in what is wrong with another. Whoever gives up data because its object is gone asks first. An empty name
// stands for any object of the kind.
func (s *Set) Hides(kind, namespace, name string) bool {
	if s.Gone || s.Unread {
		return true
	}
	for i := range s.Problems {
		p := &s.Problems[i]
		switch {
		case p.Reason == ReasonDuplicate:
		case name == "" && !p.Other && (p.Kind == "" || p.Kind == kind):
			return true
		case name != "" && p.Concerns(&Object{Kind: kind, Namespace: namespace, Name: name}):
			return true
		}
	}
	return false
}

// Object is one accepted document of the folder, of whatever kind.
type Object struct {
	Kind      string
	Namespace string // "" for a kind without namespaces
	Name      string
	UID       types.UID // of a pod: from file and content; of any other: from its name, whatever its content
	File      string    // path as found in the folder
	Doc       int       // 0-based count of documents and list items in the file
	Hash      string    // of the defaulted object
	Since     time.Time // when this name was first seen in this file
	Stale     bool      // the file is bad now, this is its last good version
	// Mode has the permissions of the file that this version was read from, 0 where it was read by an earlier podd.
	Mode  fs.FileMode
	Value kinds.Value // *corev1.Pod, *corev1.ConfigMap, ...; shared, never mutated
}

// Key is the name under which an object is unique in the folder.
func (o *Object) Key() string { return o.Kind + "/" + o.Namespace + "/" + o.Name }

// Pod is the Pod that o is.
func (o *Object) Pod() Pod {
	return Pod{Object: o.Value.(*corev1.Pod), File: o.File, Doc: o.Doc, Hash: o.Hash, Since: o.Since, Stale: o.Stale}
}

// FromPod is the Object that a Pod is.
func FromPod(p Pod) Object {
	return Object{
		Kind: kinds.KindPod, Namespace: p.Object.Namespace, Name: p.Object.Name, UID: p.Object.UID,
		File: p.File, Doc: p.Doc, Hash: p.Hash, Since: p.Since, Stale: p.Stale, Value: p.Object,
	}
}

// Find returns the object of objects with a key, or nil.
func Find(objects []Object, key string) *Object {
	for i := range objects {
		if objects[i].Key() == key {
			return &objects[i]
		}
	}
	return nil
}

// IndexOf finds objects by their keys; of two with one key the first.
func IndexOf(objects []Object) map[string]*Object {
	x := make(map[string]*Object, len(objects))
	for i := range objects {
		if key := objects[i].Key(); x[key] == nil {
			x[key] = &objects[i]
		}
	}
	return x
}

// Pods returns the pods among objects.
func Pods(objects []Object) []Pod {
	var pods []Pod
	for i := range objects {
		if objects[i].Kind == kinds.KindPod {
			pods = append(pods, objects[i].Pod())
		}
	}
	return pods
}

// All lists the pods and all other objects of a Set alike.
func (s *Set) All() []Object {
	var all []Object
	for _, p := range s.Pods {
		all = append(all, FromPod(p))
	}
	return append(all, s.Objects...)
}

// DuplicateOf says that winner has the name already.
func DuplicateOf(o, winner *Object) Problem {
	where := "is already defined by the older file " + winner.File
	if o.File == winner.File {
		where = fmt.Sprintf("is already defined by document %d of the same file", winner.Doc+1)
	}
	in := ""
	if o.Namespace != "" {
		in = fmt.Sprintf(" in namespace %q", o.Namespace)
	}
	return Problem{
		File: o.File, Doc: o.Doc, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Reason: ReasonDuplicate + o.Kind,
		Message: fmt.Sprintf("%s: %s %q%s %s; give it another metadata.name or remove it", o.File, o.Kind, o.Name, in, where),
	}
}

// ImmutableOf says that an object cannot follow its version before.
func ImmutableOf(o *Object, errs field.ErrorList) Problem {
	return Problem{
		File: o.File, Doc: o.Doc, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Reason: ReasonImmutable,
		Message: fmt.Sprintf("%s: %s %q is invalid: %v; the last version stays: put it back, give the new one another name, or remove the file and write it anew",
			o.File, o.Kind, o.Name, errs.ToAggregate()),
	}
}

// Template is what a controller of the folder makes pods of; nil: the object is none.
func Template(o *Object) *corev1.PodTemplateSpec {
	switch v := o.Value.(type) {
	case *appsv1.Deployment:
		return &v.Spec.Template
	case *appsv1.StatefulSet:
		return &v.Spec.Template
	case *appsv1.DaemonSet:
		return &v.Spec.Template
	case *appsv1.ReplicaSet:
		return &v.Spec.Template
	case *corev1.ReplicationController:
		return v.Spec.Template
	case *batchv1.Job:
		return &v.Spec.Template
	case *batchv1.CronJob:
		return &v.Spec.JobTemplate.Spec.Template
	}
	return nil
}

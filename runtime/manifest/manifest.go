// Package manifest turns a folder of Kubernetes manifests into pods that podd can run, with the objects that they
// use, and into sentences about what it cannot take. It decodes strictly into the k8s.io/api types, applies the API server's defaults,
// validates in the API server's words whatever a single node can judge, and refuses by one table (table.go) the
// fields that this podd does not act on. A bad edit never takes a running pod away: the last good version stays.
package manifest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Pod is one accepted pod of the folder: decoded strictly, defaulted, validated, with namespace and UID set.
type Pod struct {
	Object *corev1.Pod // shared, never mutated
	File   string      // path as found in the folder
	Doc    int         // 0-based count of documents and list items in the file
	Hash   string      // of the defaulted object: comments, white space and spelled-out defaults do not change it
	Since  time.Time   // when this name was first seen in this file; among two files with one name the older wins
	Stale  bool        // the file is bad now, this is its last good version
}

// Reasons of a Problem, in the form that events use.
const (
	ReasonInvalid     = "InvalidManifest"    // not decodable, or the API server would reject it
	ReasonUnsupported = "UnsupportedField"   // valid, but uses a field that podd does not act on
	ReasonKind        = "UnsupportedKind"    // an object of a kind that podd does not know
	ReasonDuplicate   = "Duplicate"          // with the kind: an older file has an object of this kind and name
	ReasonImmutable   = "ImmutableObject"    // an object that says that it does not change has changed
	ReasonUnreadable  = "UnreadableManifest" // too large, not a regular file, or an I/O error
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

	other bool // surely not about a pod, but about a Service or the like, which often has the same name
}

// concerns tells whether p may be about an object: a problem without a name may be about any.
func (p *Problem) concerns(o *Object) bool {
	switch {
	case p.other:
		return false
	case p.Name == "":
		return p.Kind == "" || p.Kind == o.Kind
	case p.Kind == "":
		return p.Name == o.Name && (p.Namespace == o.Namespace || o.Namespace == "")
	}
	return p.Kind == o.Kind && p.Name == o.Name && p.Namespace == o.Namespace
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
		case name == "" && !p.other && (p.Kind == "" || p.Kind == kind):
			return true
		case name != "" && p.concerns(&Object{Kind: kind, Namespace: namespace, Name: name}):
			return true
		}
	}
	return false
}

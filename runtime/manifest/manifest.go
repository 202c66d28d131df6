// Package manifest turns a folder of Kubernetes manifests into pods that podd can run, and into sentences about
// those that it cannot. It decodes strictly into the k8s.io/api types, applies the API server's defaults,
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

// key is the name under which a pod is unique in the folder.
func (p *Pod) key() string { return p.Object.Namespace + "/" + p.Object.Name }

// Reasons of a Problem, in the form that events use.
const (
	ReasonInvalid     = "InvalidManifest"    // not decodable, or the API server would reject it
	ReasonUnsupported = "UnsupportedField"   // valid, but uses a field that podd does not act on
	ReasonKind        = "UnsupportedKind"    // an object that is not a Pod
	ReasonDuplicate   = "DuplicatePod"       // an older file has a pod of this name
	ReasonUnreadable  = "UnreadableManifest" // too large, not a regular file, or an I/O error
	ReasonFolder      = "ManifestFolderGone" // the folder itself cannot be read, or its file system is not mounted
)

// Problem is one thing wrong with the folder, ready to be shown.
type Problem struct {
	File            string
	Doc             int    // as in Pod
	Line            int    // 1-based, 0 if unknown
	Namespace, Name string // of the object concerned, empty if unknown
	Reason          string // one of the Reason constants
	Message         string // one sentence naming file, field and remedy

	other bool // surely not about a pod, but about a Service or the like, which often has the same name
}

// concerns tells whether p may be about the pod with the given key: a problem without a name may be about any.
func (p *Problem) concerns(key string) bool {
	return !p.other && (p.Name == "" || p.Namespace+"/"+p.Name == key)
}

// Set is what the folder says at one moment.
type Set struct {
	Pods     []Pod // ordered by file, then document
	Problems []Problem
	// Gone means that the folder vanished (an unmounted card): Pods are the last known ones and stay.
	Gone bool
	// RecheckAfter asks for another Scan after this time even without a hint; 0 asks for none.
	RecheckAfter time.Duration
}

package manifest

import (
	"io/fs"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

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
	Value Value // *corev1.Pod, *corev1.ConfigMap, ...; shared, never mutated
}

// Value is an object of the Kubernetes API.
type Value interface {
	metav1.Object
	runtime.Object
}

// key is the name under which an object is unique in the folder.
func (o *Object) key() string { return o.Kind + "/" + o.Namespace + "/" + o.Name }

const kindPod = "Pod"

// pod is the Pod that o is.
func (o *Object) pod() Pod {
	return Pod{Object: o.Value.(*corev1.Pod), File: o.File, Doc: o.Doc, Hash: o.Hash, Since: o.Since, Stale: o.Stale}
}

func objectOfPod(p Pod) Object {
	return Object{
		Kind: kindPod, Namespace: p.Object.Namespace, Name: p.Object.Name, UID: p.Object.UID,
		File: p.File, Doc: p.Doc, Hash: p.Hash, Since: p.Since, Stale: p.Stale, Value: p.Object,
	}
}

// objectOf returns the object of objects with a key, or nil.
func objectOf(objects []Object, key string) *Object {
	for i := range objects {
		if objects[i].key() == key {
			return &objects[i]
		}
	}
	return nil
}

// Pods returns the pods among objects.
func Pods(objects []Object) []Pod {
	var pods []Pod
	for i := range objects {
		if objects[i].Kind == kindPod {
			pods = append(pods, objects[i].pod())
		}
	}
	return pods
}

// All lists the pods and all other objects of a Set alike.
func (s *Set) All() []Object {
	var all []Object
	for _, p := range s.Pods {
		all = append(all, objectOfPod(p))
	}
	return append(all, s.Objects...)
}

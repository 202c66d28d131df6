// Package objects holds the objects of the folder: Desired as the manifests say, for the loop, and Store as the API shows
// them, pods among them, for everybody who lists and watches.
package objects

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/hub"
	"podd/runtime/manifest"
)

// Key names an object that is not a Pod; Namespace is "" for kinds without namespaces.
type Key struct{ Kind, Namespace, Name string }

// KindRuntimeClass is the kind of the classes by which pods choose how they are run.
const KindRuntimeClass = "RuntimeClass"

// KeyOf is the key of an object of the folder.
func KeyOf(o *manifest.Object) Key { return Key{o.Kind, o.Namespace, o.Name} }

// Reference refers to the object of a key, for events. The kinds are of apiVersion v1 unless the caller says otherwise.
func (k Key) Reference() corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: k.Kind, Namespace: k.Namespace, Name: k.Name}
}

// ShallowCopy copies an object without what it points to: whoever gets it may set its metadata, and large data is there
// once.
func ShallowCopy[O hub.Object](o O) O {
	value := reflect.ValueOf(o).Elem()
	out := reflect.New(value.Type())
	out.Elem().Set(value)
	return out.Interface().(O)
}

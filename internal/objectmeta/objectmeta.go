// Package objectmeta reaches the metadata of objects of the Kubernetes API as a structure.
//
// A setter that is called through metav1.Object is kept in the binary for each of the hundred types that have it, with a
// wrapper and its tables each. A field that is set costs nothing.
package objectmeta

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Of is the metadata within o, to be read and set. o is a pointer to a type that embeds metav1.ObjectMeta, as all types of
// objects do.
func Of(o metav1.Object) *metav1.ObjectMeta {
	return o.(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta)
}

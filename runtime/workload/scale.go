package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ScaleOf is how many pods a controller wants; false: the kind has no such number. A ReplicaSet of a Deployment counts as
// that, which get finds by its UID.
func ScaleOf(o Object, get func(types.UID) Object) (Scale, bool) {
	if ref := metav1.GetControllerOfNoCopy(o); ref != nil {
		if d, ok := get(ref.UID).(*appsv1.Deployment); ok {
			o = d
		}
	}
	var n *int32
	switch o := o.(type) {
	case *appsv1.Deployment:
		n = o.Spec.Replicas
	case *appsv1.ReplicaSet:
		n = o.Spec.Replicas
	case *appsv1.StatefulSet:
		n = o.Spec.Replicas
	case *corev1.ReplicationController:
		n = o.Spec.Replicas
	}
	if n == nil {
		return Scale{}, false
	}
	return Scale{Of: o.GetUID(), Replicas: *n}, true
}

package kinds

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"

	"podd/runtime/api/hub"
	"podd/runtime/api/printers"
)

// Pods are the pods of the folder.
func Pods() *Kind {
	return &Kind{
		Resource:   "pods",
		Name:       "Pod",
		Namespaced: true,
		List: func(b Source) ([]Object, uint64) {
			list, rv := b.Pods()
			objs := make([]Object, len(list))
			for i, p := range list {
				objs[i] = p
			}
			return objs, rv
		},
		Watch: follow(Source.WatchPods, func(e hub.PodEvent) Change {
			p := *e.Pod
			p.ResourceVersion = strconv.FormatUint(e.RV, 10)
			return Change{e.Type, &p, e.RV}
		}),
		Blank: blank[corev1.Pod],
		Complete: func(o Object) Object {
			p := *o.(*corev1.Pod)
			p.TypeMeta = TypeMeta("Pod")
			return &p
		},
		Fields:  podFields,
		Columns: printers.PodColumns,
		Row:     printers.PodRow,
	}
}

// podFields are the fields by which the API server lets pods be selected.
func podFields(o Object) fields.Set {
	p := o.(*corev1.Pod)
	return fields.Set{
		"metadata.name":            p.Name,
		"metadata.namespace":       p.Namespace,
		"spec.nodeName":            p.Spec.NodeName,
		"spec.restartPolicy":       string(p.Spec.RestartPolicy),
		"spec.schedulerName":       p.Spec.SchedulerName,
		"spec.serviceAccountName":  p.Spec.ServiceAccountName,
		"spec.hostNetwork":         strconv.FormatBool(p.Spec.HostNetwork),
		"status.phase":             string(p.Status.Phase),
		"status.podIP":             p.Status.PodIP,
		"status.nominatedNodeName": p.Status.NominatedNodeName,
	}
}

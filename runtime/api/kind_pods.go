package api

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func pods() *kind {
	return &kind{
		resource:   "pods",
		name:       "Pod",
		namespaced: true,
		list: func(b Backend) ([]object, uint64) {
			list, rv := b.Pods()
			objs := make([]object, len(list))
			for i, p := range list {
				objs[i] = p
			}
			return objs, rv
		},
		watch: func(b Backend, since uint64) (changes, error) {
			ch, cancel, err := b.WatchPods(since)
			if err != nil {
				return changes{}, err
			}
			return follow(ch, cancel, func(e PodEvent) change {
				p := *e.Pod
				p.ResourceVersion = strconv.FormatUint(e.RV, 10)
				return change{e.Type, &p, e.RV}
			}), nil
		},
		blank: func() object { return new(corev1.Pod) },
		complete: func(o object) object {
			p := *o.(*corev1.Pod)
			p.TypeMeta = typeMeta("Pod")
			return &p
		},
		fields:  podFields,
		columns: podColumns,
		row:     podRow,
	}
}

// podFields are the fields by which the API server lets pods be selected.
func podFields(o object) fields.Set {
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

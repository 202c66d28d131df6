package api

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// nodes is this machine, alone.
func nodes() *kind {
	return &kind{
		resource: "nodes",
		name:     "Node",
		list: func(b Backend) ([]object, uint64) {
			_, rv := b.Pods()
			return []object{b.Node()}, rv
		},
		watch: unchanging,
		blank: func() object { return new(corev1.Node) },
		complete: func(o object) object {
			n := *o.(*corev1.Node)
			n.TypeMeta = typeMeta("Node")
			return &n
		},
		fields: func(o object) fields.Set {
			return fields.Set{"metadata.name": o.GetName()}
		},
		columns: nodeColumns,
		row:     nodeRow,
	}
}

// namespaces are those that pods name; "default" is always there.
func namespaces() *kind {
	return &kind{
		resource: "namespaces",
		name:     "Namespace",
		list:     listNamespaces,
		watch:    unchanging,
		blank:    func() object { return new(corev1.Namespace) },
		complete: func(o object) object {
			n := *o.(*corev1.Namespace)
			n.TypeMeta = typeMeta("Namespace")
			return &n
		},
		fields: func(o object) fields.Set {
			return fields.Set{"metadata.name": o.GetName(), "status.phase": string(corev1.NamespaceActive)}
		},
		columns: namespaceColumns,
		row:     namespaceRow,
	}
}

func listNamespaces(b Backend) ([]object, uint64) {
	list, rv := b.Pods()
	names := []string{metav1.NamespaceDefault}
	for _, p := range list {
		names = append(names, p.Namespace)
	}
	for _, k := range folderKinds() {
		objects, _ := b.Objects(k.name)
		for _, o := range objects {
			if k.namespaced {
				names = append(names, o.GetNamespace())
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)

	born := b.Node().CreationTimestamp
	objs := make([]object, len(names))
	for i, n := range names {
		objs[i] = &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: n, CreationTimestamp: born, Labels: map[string]string{corev1.LabelMetadataName: n}},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		}
	}
	return objs, rv
}

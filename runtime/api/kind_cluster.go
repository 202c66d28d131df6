package api

import (
	"maps"
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

const kindNamespace = "Namespace"

// namespaces are those that the folder declares and those that something is in; "default" is always there.
func namespaces() *kind {
	k := &kind{
		resource: "namespaces",
		name:     kindNamespace,
		list:     listNamespaces,
		blank:    func() object { return new(corev1.Namespace) },
		fields: func(o object) fields.Set {
			return fields.Set{"metadata.name": o.GetName(), "status.phase": string(corev1.NamespaceActive)}
		},
		columns: namespaceColumns,
		row:     namespaceRow,
	}
	k.watch, k.complete = k.watchObjects, k.completed
	return k
}

func listNamespaces(b Backend) ([]object, uint64) {
	objs, rv := b.Objects(kindNamespace)
	all := map[string]object{}
	for _, o := range objs {
		all[o.GetName()] = o
	}
	implied := func(name string) {
		if all[name] == nil {
			all[name] = &corev1.Namespace{
				ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: b.Node().CreationTimestamp, Labels: map[string]string{corev1.LabelMetadataName: name}},
				Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
				Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
			}
		}
	}
	implied(metav1.NamespaceDefault)
	pods, _ := b.Pods()
	for _, p := range pods {
		implied(p.Namespace)
	}
	for _, k := range folderKinds() {
		objects, _ := b.Objects(k.name)
		for _, o := range objects {
			if k.namespaced {
				implied(o.GetNamespace())
			}
		}
	}
	list := make([]object, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list, rv
}

package kinds

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"podd/runtime/api/printers"
)

// Nodes is this machine, alone.
func Nodes() *Kind {
	return &Kind{
		Resource: "nodes",
		Name:     "Node",
		List: func(b Source) ([]Object, uint64) {
			_, rv := b.Pods()
			return []Object{b.Node()}, rv
		},
		Watch: unchanging,
		Blank: blank[corev1.Node],
		Complete: func(o Object) Object {
			n := *o.(*corev1.Node)
			n.TypeMeta = TypeMeta("Node")
			return &n
		},
		Fields: func(o Object) fields.Set {
			return fields.Set{"metadata.name": o.GetName()}
		},
		Columns: printers.NodeColumns,
		Row:     printers.NodeRow,
	}
}

const kindNamespace = "Namespace"

// Namespaces are those that the folder declares and those that something is in; "default" is always there.
func Namespaces() *Kind {
	k := &Kind{
		Resource: "namespaces",
		Name:     kindNamespace,
		List:     listNamespaces,
		Blank:    blank[corev1.Namespace],
		Fields: func(o Object) fields.Set {
			return fields.Set{"metadata.name": o.GetName(), "status.phase": string(corev1.NamespaceActive)}
		},
		Columns: printers.NamespaceColumns,
		Row:     printers.NamespaceRow,
	}
	k.Watch, k.Complete = k.watchObjects, k.completed
	return k
}

func listNamespaces(b Source) ([]Object, uint64) {
	objs, rv := b.Objects(kindNamespace)
	all := map[string]Object{}
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
	for _, k := range Folder() {
		objects, _ := b.Objects(k.Name)
		for _, o := range objects {
			if k.Namespaced {
				implied(o.GetNamespace())
			}
		}
	}
	for _, k := range Stored(b) {
		objects, _ := k.List(b)
		for _, o := range objects {
			if k.Namespaced {
				implied(o.GetNamespace())
			}
		}
	}
	list := make([]Object, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list, rv
}

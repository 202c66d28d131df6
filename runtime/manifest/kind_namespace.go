package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func namespaceRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "Namespace",
		blank:    func() Value { return &corev1.Namespace{} },
		name:     validation.IsDNS1123Label,
		prepare:  func(v Value) { prepareNamespace(v.(*corev1.Namespace)) },
		validate: func(Value) field.ErrorList { return nil },
	}
}

// prepareNamespace makes it what the API server would show. Every namespace has its name for a label.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
func prepareNamespace(n *corev1.Namespace) {
	n.Spec = corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}}
	n.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[corev1.LabelMetadataName] = n.Name
}

package manifest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func serviceAccountRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "ServiceAccount", namespaced: true,
		blank:    func() Value { return &corev1.ServiceAccount{} },
		validate: func(Value) field.ErrorList { return nil },
	}
}

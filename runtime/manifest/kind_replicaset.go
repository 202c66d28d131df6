package manifest

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func replicaSetRules() *rules {
	return &rules{
		apiVersion: "apps/v1", kind: "ReplicaSet", namespaced: true,
		blank: func() Value { return &appsv1.ReplicaSet{} },
		prepare: func(v Value) {
			r := v.(*appsv1.ReplicaSet)
			r.Status = appsv1.ReplicaSetStatus{}
			setTemplateDefaults(&r.Spec.Template.Spec)
			defaultTo(&r.Spec.Replicas, 1)
		},
		validate: func(v Value) field.ErrorList {
			s, path := &v.(*appsv1.ReplicaSet).Spec, field.NewPath("spec")
			errs := optional(s.Replicas, path.Child("replicas"))
			errs = append(errs, nonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))...)
			errs = append(errs, validateOwnSelector(s.Selector, &s.Template, "empty selector is invalid for deployment", path)...)
			errs = append(errs, validateTemplate(&s.Template, path.Child("template"))...)
			return append(errs, alwaysRestarts(&s.Template, "ReplicaSet", path.Child("template"))...)
		},
		refused: func(v Value) field.ErrorList {
			return refusedTemplate(&v.(*appsv1.ReplicaSet).Spec.Template, field.NewPath("spec", "template"))
		},
		update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.ReplicaSet).Spec.Selector, after.(*appsv1.ReplicaSet).Spec.Selector, field.NewPath("spec", "selector"))
		},
	}
}

func replicationControllerRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "ReplicationController", namespaced: true,
		blank:   func() Value { return &corev1.ReplicationController{} },
		prepare: func(v Value) { prepareReplicationController(v.(*corev1.ReplicationController)) },
		validate: func(v Value) field.ErrorList {
			return validateReplicationController(&v.(*corev1.ReplicationController).Spec)
		},
		refused: func(v Value) field.ErrorList {
			return refusedTemplate(v.(*corev1.ReplicationController).Spec.Template, field.NewPath("spec", "template"))
		},
	}
}

// prepareReplicationController applies the defaults of kubernetes pkg/apis/core/v1, SetDefaults_ReplicationController.
func prepareReplicationController(r *corev1.ReplicationController) {
	r.Status = corev1.ReplicationControllerStatus{}
	defaultTo(&r.Spec.Replicas, 1)
	t := r.Spec.Template
	if t == nil {
		return
	}
	setTemplateDefaults(&t.Spec)
	if len(r.Spec.Selector) == 0 {
		r.Spec.Selector = t.Labels
	}
	if len(r.Labels) == 0 {
		r.Labels = t.Labels
	}
}

// validateReplicationController follows kubernetes pkg/apis/core/validation, ValidateReplicationControllerSpec.
func validateReplicationController(s *corev1.ReplicationControllerSpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := nonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))
	if len(s.Selector) == 0 {
		errs = append(errs, field.Required(path.Child("selector"), ""))
	}
	errs = append(errs, optional(s.Replicas, path.Child("replicas"))...)
	at := path.Child("template")
	if s.Template == nil {
		return append(errs, field.Required(at, ""))
	}
	if len(s.Selector) > 0 && !labels.SelectorFromSet(s.Selector).Matches(labels.Set(s.Template.Labels)) {
		errs = append(errs, field.Invalid(at.Child("metadata", "labels"), s.Template.Labels, unmatched))
	}
	errs = append(errs, validateTemplate(s.Template, at)...)
	return append(errs, alwaysRestarts(s.Template, "ReplicationController", at)...)
}

func podTemplateRules() *rules {
	return &rules{
		apiVersion: "v1", kind: "PodTemplate", namespaced: true,
		blank:   func() Value { return &corev1.PodTemplate{} },
		prepare: func(v Value) { setTemplateDefaults(&v.(*corev1.PodTemplate).Template.Spec) },
		validate: func(v Value) field.ErrorList {
			return validateTemplate(&v.(*corev1.PodTemplate).Template, field.NewPath("template"))
		},
	}
}

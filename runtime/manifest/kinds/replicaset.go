package kinds

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/validate"
)

func replicaSetRules() *Rules {
	return &Rules{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Namespaced: true,
		Blank: func() Value { return &appsv1.ReplicaSet{} },
		Prepare: func(v Value) {
			r := v.(*appsv1.ReplicaSet)
			r.Status = appsv1.ReplicaSetStatus{}
			defaults.SetTemplate(&r.Spec.Template.Spec)
			defaults.Set(&r.Spec.Replicas, 1)
		},
		Validate: func(v Value) field.ErrorList {
			s, path := &v.(*appsv1.ReplicaSet).Spec, field.NewPath("spec")
			errs := optional(s.Replicas, path.Child("replicas"))
			errs = append(errs, validate.NonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))...)
			errs = append(errs, validateOwnSelector(s.Selector, &s.Template, "empty selector is invalid for deployment", path)...)
			errs = append(errs, validateTemplate(&s.Template, path.Child("template"))...)
			return append(errs, alwaysRestarts(&s.Template, "ReplicaSet", path.Child("template"))...)
		},
		Refused: func(v Value) field.ErrorList {
			return append(refusedTemplate(&v.(*appsv1.ReplicaSet).Spec.Template, field.NewPath("spec", "template")), refusedRollback(v)...)
		},
		Update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.ReplicaSet).Spec.Selector, after.(*appsv1.ReplicaSet).Spec.Selector, field.NewPath("spec", "selector"))
		},
	}
}

func replicationControllerRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "ReplicationController", Namespaced: true,
		Blank:   func() Value { return &corev1.ReplicationController{} },
		Prepare: func(v Value) { prepareReplicationController(v.(*corev1.ReplicationController)) },
		Validate: func(v Value) field.ErrorList {
			return validateReplicationController(&v.(*corev1.ReplicationController).Spec)
		},
		Refused: func(v Value) field.ErrorList {
			return append(refusedTemplate(v.(*corev1.ReplicationController).Spec.Template, field.NewPath("spec", "template")), refusedRollback(v)...)
		},
	}
}

// prepareReplicationController applies the defaults of kubernetes pkg/apis/core/v1, SetDefaults_ReplicationController.
func prepareReplicationController(r *corev1.ReplicationController) {
	r.Status = corev1.ReplicationControllerStatus{}
	defaults.Set(&r.Spec.Replicas, 1)
	t := r.Spec.Template
	if t == nil {
		return
	}
	defaults.SetTemplate(&t.Spec)
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
	errs := validate.NonNegative(int64(s.MinReadySeconds), path.Child("minReadySeconds"))
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

func podTemplateRules() *Rules {
	return &Rules{
		APIVersion: "v1", Kind: "PodTemplate", Namespaced: true,
		Blank:   func() Value { return &corev1.PodTemplate{} },
		Prepare: func(v Value) { defaults.SetTemplate(&v.(*corev1.PodTemplate).Template.Spec) },
		Validate: func(v Value) field.ErrorList {
			return validateTemplate(&v.(*corev1.PodTemplate).Template, field.NewPath("template"))
		},
	}
}

// controllerRevisionRules: one that is written down is shown, and counts for the set that owns or selects it.
func controllerRevisionRules() *Rules {
	return &Rules{
		APIVersion: "apps/v1", Kind: "ControllerRevision", Namespaced: true,
		Blank:    func() Value { return &appsv1.ControllerRevision{} },
		Validate: func(v Value) field.ErrorList { return validateRevision(v.(*appsv1.ControllerRevision)) },
		Update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.ControllerRevision).Data, after.(*appsv1.ControllerRevision).Data, field.NewPath("data"))
		},
	}
}

// validateRevision follows kubernetes pkg/apis/apps/validation, ValidateControllerRevisionCreate.
func validateRevision(r *appsv1.ControllerRevision) field.ErrorList {
	errs := validate.NonNegative(r.Revision, field.NewPath("revision"))
	path := field.NewPath("data")
	var data any
	if r.Data.Raw == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	if err := json.Unmarshal(r.Data.Raw, &data); err != nil {
		return append(errs, field.Invalid(path, "<value omitted>", "error parsing data: "+err.Error()))
	}
	if data == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	if _, ok := data.(map[string]any); !ok {
		errs = append(errs, field.Required(path, "data must be a valid JSON object"))
	}
	return errs
}

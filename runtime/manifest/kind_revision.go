package manifest

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// controllerRevisionRules: one that is written down is shown, and counts for the set that owns or selects it.
func controllerRevisionRules() *rules {
	return &rules{
		apiVersion: "apps/v1", kind: "ControllerRevision", namespaced: true,
		blank:    func() Value { return &appsv1.ControllerRevision{} },
		validate: func(v Value) field.ErrorList { return validateRevision(v.(*appsv1.ControllerRevision)) },
		update: func(before, after Value) field.ErrorList {
			return unchanged(before.(*appsv1.ControllerRevision).Data, after.(*appsv1.ControllerRevision).Data, field.NewPath("data"))
		},
	}
}

// validateRevision follows kubernetes pkg/apis/apps/validation, ValidateControllerRevisionCreate.
func validateRevision(r *appsv1.ControllerRevision) field.ErrorList {
	errs := nonNegative(r.Revision, field.NewPath("revision"))
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

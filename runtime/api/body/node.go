// Package body reads what clients send: what is in it that the API knows, and what is wrong with it, in the API server's words.
package body

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// untilBootKey is the annotation that says with spec.unschedulable that it ends with the boot (node.AnnotationUntilBoot).
const untilBootKey = "podd.dev/uncordon-after-boot"

// Cordon reads a merge patch of a node, of which spec.unschedulable can be set, and with it that the next boot ends that; null
// takes it away.
func Cordon(data []byte) (unschedulable, untilBoot bool, err error) {
	var patch, spec, metadata map[string]json.RawMessage
	if err := json.Unmarshal(data, &patch); err != nil {
		return false, false, apierrors.NewBadRequest("cannot read the patch: " + err.Error())
	}
	const only = " cannot be changed here: of a node only spec.unschedulable can, labels are in podd's configuration"
	if others := except(patch, "spec", "metadata", "apiVersion", "kind"); others != "" {
		return false, false, apierrors.NewBadRequest(others + only)
	}
	if patch["metadata"] != nil {
		var annotations map[string]string
		err := json.Unmarshal(patch["metadata"], &metadata)
		if err == nil {
			err = json.Unmarshal(metadata["annotations"], &annotations)
		}
		if err != nil || len(metadata) != 1 || len(annotations) != 1 || annotations[untilBootKey] != "true" {
			return false, false, apierrors.NewBadRequest("metadata" + only)
		}
		untilBoot = true
	}
	value, ok := json.RawMessage(nil), false
	if err := json.Unmarshal(patch["spec"], &spec); err == nil {
		value, ok = spec["unschedulable"]
	}
	if others := except(spec, "unschedulable"); others != "" {
		return false, false, apierrors.NewBadRequest("spec." + others + only)
	}
	if !ok {
		return false, false, apierrors.NewBadRequest("the patch has no spec.unschedulable")
	}
	if bytes.Equal(value, []byte("null")) {
		return false, false, nil
	}
	if err := json.Unmarshal(value, &unschedulable); err != nil {
		return false, false, apierrors.NewBadRequest("spec.unschedulable must be true or false")
	}
	return unschedulable, untilBoot && unschedulable, nil
}

func except(m map[string]json.RawMessage, known ...string) string {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, name) {
			return name
		}
	}
	return ""
}

// DryRun reads the dryRun of a request.
func DryRun(values []string) (bool, error) {
	for _, v := range values {
		if v != "All" {
			return false, apierrors.NewBadRequest("dryRun: Unsupported value: \"" + v + "\": supported values: \"All\"")
		}
	}
	return len(values) > 0, nil
}

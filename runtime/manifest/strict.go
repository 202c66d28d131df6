package manifest

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// decodeStrict decodes JSON into a Kubernetes type. An unknown or doubled field, or a value of the wrong type, is a
// fault with the path of the field.
func decodeStrict(data []byte, into any) []fault {
	strict, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		if found := errorFaults(typeErrors(data, into)); len(found) > 0 {
			return found
		}
		return []fault{{text: strings.TrimPrefix(err.Error(), "json: ")}}
	}
	return strictFaults(strict)
}

// strictFaults puts the decoder's words about unknown and doubled fields into the user's.
func strictFaults(errs []error) []fault {
	var faults []fault
	for _, err := range errs {
		f := fault{text: err.Error(), line: true}
		if fe, ok := errors.AsType[kjson.FieldError](err); ok {
			f.path = fe.FieldPath()
		}
		switch {
		case strings.HasPrefix(f.text, "unknown field"):
			f.text = fmt.Sprintf("unknown field %q: correct its spelling or remove it", f.path)
		case strings.HasPrefix(f.text, "duplicate field"):
			f.text, f.nth = fmt.Sprintf("duplicate field %q: keep one of the two", f.path), 1
		}
		faults = append(faults, f)
	}
	return faults
}

func errorFaults(errs field.ErrorList) []fault {
	faults := make([]fault, 0, len(errs))
	seen := make(map[string]bool, len(errs))
	for _, err := range errs {
		text := err.Error()
		if seen[text] {
			continue
		}
		seen[text] = true
		faults = append(faults, fault{text: text, path: err.Field})
	}
	return faults
}

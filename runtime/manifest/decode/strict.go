package decode

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// Strict decodes JSON into a Kubernetes type. An unknown or doubled field, or a value of the wrong type, is a
// fault with the path of the field.
func Strict(data []byte, into any) []Fault {
	strict, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		if found := Faults(TypeErrors(data, into)); len(found) > 0 {
			for i := range found {
				found[i].Line = true
			}
			return found
		}
		return []Fault{{Text: strings.TrimPrefix(err.Error(), "json: ")}}
	}
	return strictFaults(strict, reflect.TypeOf(into))
}

// strictFaults puts the decoder's words about unknown and doubled fields of a type into the user's.
func strictFaults(errs []error, t reflect.Type) []Fault {
	var faults []Fault
	for _, err := range errs {
		f := Fault{Text: err.Error(), Line: true}
		if fe, ok := errors.AsType[kjson.FieldError](err); ok {
			f.Path = fe.FieldPath()
		}
		switch {
		case strings.HasPrefix(f.Text, "unknown field"):
			f.Text = fmt.Sprintf("unknown field %q: %s", f.Path, meant(f.Path, t))
		case strings.HasPrefix(f.Text, "duplicate field"):
			f.Text, f.Nth = fmt.Sprintf("duplicate field %q: keep one of the two", f.Path), 1
		}
		faults = append(faults, f)
	}
	return faults
}

// Faults makes faults of the API server's errors, each sentence once.
func Faults(errs field.ErrorList) []Fault {
	faults := make([]Fault, 0, len(errs))
	seen := make(map[string]bool, len(errs))
	for _, err := range errs {
		text := err.Error()
		if seen[text] {
			continue
		}
		seen[text] = true
		faults = append(faults, Fault{Text: text, Path: err.Field})
	}
	return faults
}

// Fault is one thing wrong with a document.
type Fault struct {
	Text string // says all but the file and the line
	Path string // of the field, "" for the whole document
	Nth  int    // which of a doubled field, 0 for the first
	At   int    // line in the file, 0 to be found from the path
	Line bool   // the text shall carry the line
}

package decode

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// StructField is one field of an API type as JSON sees it.
type StructField struct {
	Name  string
	Type  reflect.Type
	index int
}

// FieldsOf calls yield for each field of t, those of inlined structs in their place. The value v of t may be the
// zero Value when only types are of interest.
func FieldsOf(t reflect.Type, v reflect.Value, yield func(StructField, reflect.Value)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		var fv reflect.Value
		if v.IsValid() {
			fv = v.Field(i)
		}
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous:
			FieldsOf(f.Type, fv, yield)
		default:
			yield(StructField{Name: name, Type: f.Type, index: i}, fv)
		}
	}
}

// DecodesItself tells whether a type has its own JSON form: quantities, times, int-or-string.
func DecodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// TypeErrors finds the values in data that do not fit the type of into. The decoder stops at the first one and
// names it without list indexes, or not at all (a quantity).
func TypeErrors(data []byte, into any) field.ErrorList {
	var tree any
	if kjson.UnmarshalCaseSensitivePreserveInts(data, &tree) != nil {
		return nil
	}
	return misfits(tree, reflect.TypeOf(into).Elem(), nil)
}

func misfits(value any, t reflect.Type, path *field.Path) field.ErrorList {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		return nil
	}
	if DecodesItself(t) {
		return misfit(value, t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		object, ok := value.(map[string]any)
		if !ok {
			return field.ErrorList{wrongType(path, value, "a mapping")}
		}
		var errs field.ErrorList
		FieldsOf(t, reflect.Value{}, func(f StructField, _ reflect.Value) {
			if v, ok := object[f.Name]; ok {
				errs = append(errs, misfits(v, f.Type, path.Child(f.Name))...)
			}
		})
		return errs
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			return field.ErrorList{wrongType(path, value, "a mapping")}
		}
		var errs field.ErrorList
		for _, k := range slices.Sorted(maps.Keys(object)) {
			errs = append(errs, misfits(object[k], t.Elem(), path.Key(k))...)
		}
		return errs
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return notBase64(value, path)
		}
		list, ok := value.([]any)
		if !ok {
			return field.ErrorList{wrongType(path, value, "a list")}
		}
		var errs field.ErrorList
		for i, v := range list {
			errs = append(errs, misfits(v, t.Elem(), path.Index(i))...)
		}
		return errs
	default:
		return misfit(value, t, path)
	}
}

// notBase64 judges a value of bytes. Go's decoder takes line breaks within.
func notBase64(value any, path *field.Path) field.ErrorList {
	text, ok := value.(string)
	if !ok {
		return field.ErrorList{wrongType(path, value, "a string")}
	}
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return field.ErrorList{field.Invalid(path, "<redacted>", err.Error()+"; encode it (printf %s VALUE | base64), or write it as it is under stringData or data")}
	}
	return nil
}

// misfit tries one value alone.
func misfit(value any, t reflect.Type, path *field.Path) field.ErrorList {
	data, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	err = kjson.UnmarshalCaseSensitivePreserveInts(data, reflect.New(t).Interface())
	switch {
	case err == nil:
		return nil
	case t == reflect.TypeFor[resource.Quantity]():
		return field.ErrorList{field.Invalid(path, value, err.Error()+quantityRemedy(value))}
	case DecodesItself(t):
		return field.ErrorList{field.Invalid(path, value, err.Error())}
	case isQuoted(value, t):
		want, _, _ := strings.Cut(typeName(t), " of at most")
		return field.ErrorList{field.TypeInvalid(path, value, "must be "+strings.Replace(want, "whole ", "", 1)+": remove the quotes")}
	default:
		return field.ErrorList{wrongType(path, value, typeName(t))}
	}
}

// isQuoted tells whether a text would fit without its quotes.
func isQuoted(value any, t reflect.Type) bool {
	text, ok := value.(string)
	return ok && text != "null" && kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), reflect.New(t).Interface()) == nil
}

// quantityRemedy guesses at what was meant by a quantity with a B at its end, or with a blank before the suffix.
func quantityRemedy(value any) string {
	text, ok := value.(string)
	if !ok {
		return ""
	}
	number := text[:len(text)-len(strings.TrimLeft(text, "0123456789."))]
	suffix := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text[len(number):])), "B")
	decimal, binary := strings.TrimSuffix(suffix, "I"), strings.TrimSuffix(suffix, "I")+"i"
	if number == "" || len(decimal) != 1 || !strings.Contains("KMGTPE", decimal) {
		return "; write for example 100m, 10M or 10Mi"
	}
	if decimal != suffix {
		return "; write " + number + binary
	}
	if decimal == "K" {
		decimal = "k"
	}
	return "; write " + number + decimal + " or " + number + binary
}

func wrongType(path *field.Path, value any, want string) *field.Error {
	if _, ok := value.(string); !ok && want == "a string" {
		want = "a string: put it in quotes"
	}
	return field.TypeInvalid(path, value, "must be "+want)
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64, reflect.Int:
		return fmt.Sprintf("a whole number of at most %d bits", t.Bits())
	default:
		return "of type " + t.String()
	}
}

// Package fields knows of every field of a Pod what podd does with it (table.go), and refuses those that it does not act
// on.
package fields

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/resources"
	"podd/runtime/manifest/sysctl"
)

// Support is what podd does with a field of a Pod.
type Support string

const (
	Honoured Support = "honoured" // podd acts on it
	Cluster  Support = "cluster"  // accepted: only a cluster would act on it
	Refused  Support = "refused"  // a pod that sets it is not run
)

// Field is one row of the table: a field reachable from ObjectMeta or PodSpec, and all fields below it unless they
// have rows of their own. List items are written "[]" and keys of a resource list "[cpu]", "[*]" being any other.
type Field struct {
	Path    string
	Support Support
	Why     string // for a refused field: why, and the remedy
	Only    string // the one value of a refused field that is accepted all the same, because podd provides it
}

// Fields returns the whole table, in the order of the API types.
func Fields() []Field {
	fields := make([]Field, len(table))
	for i, r := range table {
		fields[i] = Field{Path: r.path, Support: r.support, Why: r.why, Only: r.only}
	}
	return fields
}

// row is one line of the table.
type row struct {
	path    string
	support Support
	why     string
	only    string
}

// rowOf finds the row of a path. Init containers have those of the others.
func rowOf(path []byte) *row {
	if below, ok := bytes.CutPrefix(path, []byte("spec.initContainers[]")); ok {
		path = append([]byte("spec.containers[]"), below...)
	}
	for i := range table {
		if table[i].path == string(path) {
			return &table[i]
		}
	}
	return nil
}

// CheckPod lists the fields that pod sets and podd does not act on, with their concrete paths.
func CheckPod(pod *corev1.Pod) field.ErrorList {
	var w walker
	w.visit(reflect.ValueOf(&pod.ObjectMeta).Elem(), []byte("metadata"), []byte("metadata"))
	w.visit(reflect.ValueOf(&pod.Spec).Elem(), []byte("spec"), []byte("spec"))
	w.errs = append(w.errs, annotation.Refused(pod.Annotations, field.NewPath("metadata", "annotations"))...)
	return append(w.errs, sysctl.Refused(pod.Spec.SecurityContext, field.NewPath("spec", "securityContext"))...)
}

// CheckSpec is refusedFields of a pod's spec that is at path.
func CheckSpec(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var w walker
	w.visit(reflect.ValueOf(spec).Elem(), []byte("spec"), []byte(path.String()))
	return w.errs
}

// walker goes through the fields that are set. Each has two paths: the one of its row and the concrete one.
type walker struct {
	errs field.ErrorList
}

func (w *walker) visit(v reflect.Value, rowPath, path []byte) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if r := rowOf(rowPath); r != nil && r.support != Honoured {
		w.judge(r, v, path)
		return
	}
	switch {
	case v.Kind() == reflect.Struct && !decode.DecodesItself(v.Type()):
		decode.FieldsOf(v.Type(), v, func(f decode.StructField, fv reflect.Value) {
			if IsSet(fv) {
				w.visit(fv, dot(rowPath, f.Name), dot(path, f.Name))
			}
		})
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			w.visit(v.Index(i), append(slices.Clip(rowPath), "[]"...), fmt.Appendf(slices.Clip(path), "[%d]", i))
		}
	case v.Type() == reflect.TypeFor[corev1.ResourceList]():
		w.resources(v.Interface().(corev1.ResourceList), rowPath, path)
	}
}

// resources looks for a row of each resource's own, and for the row of all others.
func (w *walker) resources(list corev1.ResourceList, rowPath, path []byte) {
	for _, name := range resources.SortedNames(list) {
		key := string(name)
		if resources.IsHugePages(name) {
			key = corev1.ResourceHugePagesPrefix + "*"
		}
		if domain, _, ok := strings.Cut(key, "/"); ok && !strings.Contains(domain, "kubernetes.io") {
			key = "*/*" // extended resources
		}
		r := rowOf(fmt.Appendf(nil, "%s[%s]", rowPath, key))
		if r == nil {
			r = rowOf(fmt.Appendf(nil, "%s[*]", rowPath))
		}
		if r != nil && r.support == Refused {
			w.judge(r, reflect.ValueOf(list[name]), fmt.Appendf(nil, "%s[%s]", path, name))
		}
	}
}

func (w *walker) judge(r *row, v reflect.Value, path []byte) {
	if r.support != Refused {
		return
	}
	if r.only != "" && fmt.Sprint(v.Interface()) == r.only {
		return
	}
	w.errs = append(w.errs, &field.Error{Type: field.ErrorTypeForbidden, Field: string(path), Detail: r.why})
}

// IsSet tells whether a field says anything: an empty list or mapping does not.
func IsSet(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() > 0
	default:
		return !v.IsZero()
	}
}

func dot(path []byte, name string) []byte {
	return append(append(slices.Clip(path), '.'), name...)
}

package decode

import (
	"fmt"
	"reflect"
	"strings"
)

// meant guesses at what was meant by an unknown field of a type: one that is spelt alike, or the same one in another place.
func meant(path string, t reflect.Type) string {
	const plain = "correct its spelling or remove it"
	keys := steps(path)
	if len(keys) == 0 {
		return plain
	}
	name := keys[len(keys)-1]
	above := structsAlong(keys[:len(keys)-1], t)
	if len(above) == 0 || above[len(above)-1].t == nil {
		return plain
	}
	parent := above[len(above)-1]
	if near := nearest(name, parent.t); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if child := childWith(name, parent.t); child != "" {
		return fmt.Sprintf("it is a field of %s; move it there", join(parent.path, child))
	}
	for i := len(above) - 2; i >= 0; i-- {
		switch {
		case above[i].t == nil:
		case hasField(name, above[i].t) && above[i].path == "":
			return "it belongs to the top of the document; move it there"
		case hasField(name, above[i].t):
			return fmt.Sprintf("it is a field of %s; move it there", above[i].path)
		}
	}
	if longer := longerThan(name, parent.t); longer != "" {
		return fmt.Sprintf("did you mean %s?", longer)
	}
	return plain
}

// located is a struct on the way to a field; t is nil where the way leads through what has no fields.
type located struct {
	path string
	t    reflect.Type
}

// structsAlong are the structs on the way from a type to where keys lead.
func structsAlong(keys []string, t reflect.Type) []located {
	t = bare(t)
	out := []located{{"", structOnly(t)}}
	path := ""
	for _, key := range keys {
		index := strings.HasPrefix(key, "#")
		switch {
		case t == nil:
			return nil
		case index && t.Kind() == reflect.Slice:
			t, path = bare(t.Elem()), path+"["+key[1:]+"]"
		case t.Kind() == reflect.Map:
			t, path = bare(t.Elem()), join(path, key)
		case t.Kind() == reflect.Struct:
			t, path = bare(fieldType(key, t)), join(path, key)
		default:
			return nil
		}
		if t != nil && t.Kind() == reflect.Slice {
			continue // its items have fields
		}
		out = append(out, located{path, structOnly(t)})
	}
	return out
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func bare(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func structOnly(t reflect.Type) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct || DecodesItself(t) {
		return nil
	}
	return t
}

func fieldType(name string, t reflect.Type) reflect.Type {
	var found reflect.Type
	FieldsOf(t, reflect.Value{}, func(f StructField, _ reflect.Value) {
		if f.Name == name {
			found = f.Type
		}
	})
	return found
}

func hasField(name string, t reflect.Type) bool { return fieldType(name, t) != nil }

// childWith is the one field of t that has a field of the name; the containers before others. "": none, or several.
func childWith(name string, t reflect.Type) string {
	var found []string
	FieldsOf(t, reflect.Value{}, func(f StructField, _ reflect.Value) {
		child, suffix := bare(f.Type), ""
		if child.Kind() == reflect.Slice {
			child, suffix = bare(child.Elem()), "[]"
		}
		if s := structOnly(child); s != nil && hasField(name, s) {
			found = append(found, f.Name+suffix)
		}
	})
	for _, f := range found {
		if f == "containers[]" || len(found) == 1 {
			return f
		}
	}
	return ""
}

// nearest is the field of t that is spelt most like name; "": none is alike.
func nearest(name string, t reflect.Type) string {
	var names []string
	FieldsOf(t, reflect.Value{}, func(f StructField, _ reflect.Value) { names = append(names, f.Name) })
	return NearestOf(name, names)
}

// NearestOf is the one of names that is spelt most like name; "": none is alike.
func NearestOf(name string, names []string) string {
	best, least := "", 3
	written := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	for _, n := range names {
		known := strings.ToLower(n)
		if d := distance(written, known); d < least && d*3 <= max(len(written), len(known)) {
			best, least = n, d
		}
	}
	return best
}

// longerThan is the one field of t that begins with name; "": none, or several.
func longerThan(name string, t reflect.Type) string {
	var found []string
	FieldsOf(t, reflect.Value{}, func(f StructField, _ reflect.Value) {
		if len(name) > 3 && strings.HasPrefix(strings.ToLower(f.Name), strings.ToLower(name)) {
			found = append(found, f.Name)
		}
	})
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// distance is the number of letters to insert, leave out, change, or swap with the next one, that makes b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

package fields

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/decode"
)

var update = flag.Bool("update", false, "write the golden files anew")

// reach calls yield for every field that a manifest can set below a type, with the path of its row. It does not
// go below a field for which yield returns false.
func reach(t reflect.Type, path string, yield func(path string, t reflect.Type) bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Struct && !decode.DecodesItself(t):
		decode.FieldsOf(t, reflect.Value{}, func(f decode.StructField, _ reflect.Value) {
			if p := path + "." + f.Name; yield(p, f.Type) {
				reach(f.Type, p, yield)
			}
		})
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		reach(t.Elem(), path+"[]", yield)
	case t == reflect.TypeFor[corev1.ResourceList]():
		for _, key := range []string{"[cpu]", "[memory]", "[*]"} {
			yield(path+key, t.Elem())
		}
		for _, key := range []string{"[ephemeral-storage]", "[hugepages-*]", "[*/*]"} { // where they have rows
			if rowOf([]byte(path+key)) != nil {
				yield(path+key, t.Elem())
			}
		}
	}
}

func TestTableHasEveryField(t *testing.T) {
	used := map[string]bool{}
	check := func(path string, _ reflect.Type) bool {
		r := rowOf([]byte(path))
		if r == nil {
			t.Errorf("the table has no row for %s", path)
			return false
		}
		if used[path] {
			t.Errorf("%s is reached twice", path)
		}
		used[path] = true
		// What is refused or left to a cluster is so with all that is below.
		return r.support == Honoured
	}
	reach(reflect.TypeFor[metav1.ObjectMeta](), "metadata", check)
	reach(reflect.TypeFor[corev1.PodSpec](), "spec", check)
	for i, r := range table {
		if !used[r.path] {
			t.Errorf("row %s stands for no field, or is below one that is refused", r.path)
		}
		for _, other := range table[:i] {
			if other.path == r.path {
				t.Errorf("%s has two rows", r.path)
			}
		}
	}
}

func TestTableSentences(t *testing.T) {
	for _, r := range table {
		switch r.support {
		case Refused:
			if !strings.Contains(r.why, "; ") {
				t.Errorf("%s: %q does not say what is wrong and then the remedy", r.path, r.why)
			}
			if r.only != "" && !strings.Contains(r.why, r.only) {
				t.Errorf("%s: %q does not name the accepted value %q", r.path, r.why, r.only)
			}
		case Honoured, Cluster:
			if r.only != "" {
				t.Errorf("%s: a condition on a field that is not refused", r.path)
			}
		default:
			t.Errorf("%s: support %q", r.path, r.support)
		}
	}
}

// page prints docs/fields.md.
func page() string {
	var b strings.Builder
	b.WriteString("# Fields of a Pod\n\n" +
		"Printed from the table in `runtime/manifest/fields/table.go` by its test (`go test ./runtime/manifest/fields -update`).\n\n" +
		"`honoured`: podd acts on it. `cluster`: accepted, only a cluster would act on it. `refused`: a pod that sets the\n" +
		"field is not run, and podd says why; a value in brackets is accepted all the same. A row stands for all fields below\n" +
		"it that have no row of their own.\n")
	section := ""
	for _, f := range Fields() {
		if s := sectionOf(f.Path); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| Field | podd | |\n|---|---|---|\n", section)
		}
		support := string(f.Support)
		if f.Only != "" {
			support += " (`" + f.Only + "`)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, support, f.Why)
	}
	return b.String()
}

func sectionOf(path string) string {
	switch {
	case strings.HasPrefix(path, "metadata."):
		return "metadata"
	case strings.HasPrefix(path, "spec.containers"):
		return "spec.containers"
	default:
		return "spec"
	}
}

func TestFieldsPage(t *testing.T) {
	const file = "../../../docs/fields.md"
	want := page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run go test ./runtime/manifest/fields -run FieldsPage -update", file)
	}
}

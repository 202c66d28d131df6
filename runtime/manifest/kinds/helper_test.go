package kinds

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// objectRow is what an object has beside, or in the place of, what the base of its table has, and what is said of it: nothing of a
// good one. Unless a row says otherwise, that is what the API server's own code says (test/conformance).
type objectRow struct {
	name string
	text string
	want []string
}

// made is an object with what texts say, the later over the earlier, complete with its defaults.
func made(t *testing.T, kind string, texts ...string) Value {
	t.Helper()
	rules := Of(kind)
	v := rules.Blank()
	for _, text := range texts {
		if err := yaml.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if rules.Namespaced && v.GetNamespace() == "" {
		v.SetNamespace(metav1.NamespaceDefault)
	}
	if rules.Prepare != nil {
		rules.Prepare(v)
	}
	return v
}

// sentences are those of errors, each once and in order: a map has none.
func sentences(errs field.ErrorList) []string {
	list := make([]string, len(errs))
	for i, err := range errs {
		list[i] = err.Error()
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func checkObjects(t *testing.T, kind, base string, rows []objectRow) {
	t.Helper()
	t.Parallel()
	rules := Of(kind)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v := made(t, kind, base, row.text)
			got := sentences(append(rules.ValidateMeta(v), rules.Validate(v)...))
			if want := slices.Sorted(slices.Values(row.want)); !slices.Equal(got, want) {
				t.Errorf("of %s\ngot  %q\nwant %q", row.text, got, want)
			}
			// Defaults that are applied twice are those that are applied once: what podd shows can be applied again.
			before := v.DeepCopyObject()
			if rules.Prepare != nil {
				rules.Prepare(v)
			}
			if a, b := asYAML(t, before), asYAML(t, v); a != b {
				t.Errorf("the defaults of the defaults of %s are\n%s, not\n%s", row.text, b, a)
			}
		})
	}
}

func asYAML(t *testing.T, o any) string {
	t.Helper()
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

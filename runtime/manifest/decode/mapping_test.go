package decode

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

type settings struct {
	Name  string                `json:"name"`
	Count int32                 `json:"count"`
	Inner struct{ A, B string } `json:"inner"`
	List  []string              `json:"list"`
}

func TestMapping(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "{ 0 { } []} []"},
		{"comments", "# a\n\n", "{ 0 { } []} []"},
		{"YAML", "name: a\ncount: 2\nlist: [x, z]\n", "{a 2 { } [x z]} []"},
		{"JSON", `{"name": "a", "count": 2}`, "{a 2 { } []} []"},
		{"unknown keys", "name: a\nnmae: b\nother: c\n", "{a 0 { } []} [line 2: unknown field \"nmae\": did you mean name? line 3: unknown field \"other\": correct its spelling or remove it]"},
		{"a key twice", "name: a\ncount: 1\nname: b\n", "{b 1 { } []} [line 3: duplicate field \"name\": keep one of the two]"},
	} {
		m, err := ReadMapping("f.yaml", []byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var s settings
		faults, err := m.Decode(&s)
		if got := fmt.Sprint(s, " ", faults); err != nil || got != tc.want {
			t.Errorf("%s: %s, %v; want %s", tc.name, got, err, tc.want)
		}
	}
	for text, want := range map[string]string{
		"- a\n": ErrNoMapping.Error(), "a\n": ErrNoMapping.Error(), "a: 1\n---\nb: 2\n": "line 2: a second document begins; only one is read",
		"a: 1\nb: [\n": "line 2: not valid YAML: did not find expected node content; check indentation, colons and brackets",
		"a:\n\tb: 1\n": "line 2: a tab indents; YAML allows spaces only",
	} {
		if m, err := ReadMapping("f.yaml", []byte(text)); err == nil || err.Error() != want || m != nil {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := ReadMapping("f", []byte("- a")); !errors.Is(err, ErrNoMapping) {
		t.Error(err)
	}
}

func TestMappingParts(t *testing.T) {
	t.Parallel()
	m, err := ReadMapping("f", []byte("name: a\ncount: many\ninner:\n  A: x\n  C: 1\nlist: [1]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var s settings
	if _, err := m.Decode(&s); err == nil || err.Error() != "cannot unmarshal string into Go struct field settings.count of type int32" {
		t.Errorf("a value of another type: %v", err)
	}
	s = settings{}
	faults, err := m.Decode(&s, "count", "list", "inner.C", "inner.none.x", "none")
	if err != nil || len(faults) > 0 || s.Name != "a" || s.Inner.A != "x" {
		t.Errorf("without the other keys: %+v, %v, %v", s, faults, err)
	}
	tree, err := m.Tree()
	want := map[string]any{"name": "a", "count": "many", "inner": map[string]any{"A": "x", "C": int64(1)}, "list": []any{int64(1)}}
	if err != nil || !reflect.DeepEqual(tree, want) {
		t.Errorf("after that the tree is %v, %v", tree, err)
	}
	for path, line := range map[string]int{"name": 1, "inner.C": 5, "inner.D": 3, "list[0]": 6, "none": 0} {
		if got := m.Line(path); got != line {
			t.Errorf("%s: line %d, want %d", path, got, line)
		}
	}
	for f, want := range map[MappingFault]string{{0, "x"}: "x", {7, "x"}: "line 7: x"} {
		if f.String() != want {
			t.Errorf("%s, want %s", f, want)
		}
	}
}

package decode

import (
	"errors"
	"math/rand"
	"reflect"
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// A document means what it means to kubectl, whose converter is sigs.k8s.io/yaml: null, numbers, booleans, dates and all.
func TestYAMLAsKubectl(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		"a: 1", "a: 0o17", "a: 017", "a: 0x1f", "a: 1_000", "a: 1e3", "a: 1.50", "a: .5", "a: -0.0", "a: +1", "a: 9223372036854775807", "a: 18446744073709551615",
		"a: yes\nb: No\nc: on\nd: y\ne: true\nf: 'yes'", "a: ~\nb: null\nc:\nd: ''", "a: 2026-11-29", "a: 10:30", "a: !!str 1", "a: !!float 1", "a: !!binary aGk=",
		"1: a\ntrue: b\n1.5: c\n~x: d", "a: |\n  b\n  c\n", "a: >-\n  b\n  c\n", "a: \"\\u263a\\x41\\t\"", "a: &x {b: 1}\nc: *x", "a: &x [1, 2]\nb: [*x, *x]",
		"a: {b: {c: {d: [[], {}, [[1]]]}}}", "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", "a: &x {b: 1}\ne: &y {c: 2}\nd: {<<: [*x, *y], f: 3}",
		"a: &x {b: {c: 1}}\nd:\n- <<: *x\n  e: 1\n- {<<: *x}", "# only\na: b # c\n", "---\na: 1\n", "{\"a\": [1, \"b\"]}", "a: 'it''s'", "ä: ö\n☺: 1", "? a\n: b", "a: <<", "'<<': 1\nb: &c {d: 1}",
	} {
		want, wantErr := yaml.YAMLToJSON([]byte(doc))
		got, err := YAMLToJSON([]byte(doc))
		if err != nil || wantErr != nil {
			t.Errorf("%q: %v, kubectl's says %v", doc, err, wantErr)
			continue
		}
		var a, b any
		if err := errors.Join(kjson.UnmarshalCaseSensitivePreserveInts(got, &a), kjson.UnmarshalCaseSensitivePreserveInts(want, &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q: %s, kubectl's says %s (%v)", doc, got, want, err)
		}
	}
}

// What kubectl does not read is not read, either.
func TestYAMLFaults(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]error{
		"- a": errList, "# c\n---\n- a": errList, "[a]": errList, "[a]: b": errList, "a": errNoMapping, "1": errNoMapping, "'a: b'": errNoMapping, "-a": errNoMapping,
		"{a: 1}: b": errKey, "x: {[a]: b}": errKey, "a: &x {b: 1}\nc: {<<: *x, {d: e}: f}": errKey,
		"a: *x": nil, "a: b: c": nil, "a: [": nil, "a:\n\t- b": nil, "a: &x [*x]": nil, "a: @b": nil, "\x00": nil, "a: \xff": nil, "<<: 1\na: 2": nil,
	} {
		got, err := YAMLToJSON([]byte(doc))
		if err == nil || got != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %s, %v, want %v", doc, got, err, want)
		}
		if _, theirs := yaml.YAMLToJSON([]byte(doc)); theirs == nil && !errors.Is(want, errNoMapping) {
			t.Errorf("%q: kubectl's reads it", doc)
		}
	}
	if !errors.Is(errList, errNoMapping) {
		t.Error("a list is no mapping")
	}
}

// Aliases of aliases grow by each level; a board would run out of memory.
func TestYAMLExpands(t *testing.T) {
	t.Parallel()
	doc := "a: &a " + strings.Repeat("x", 1<<20) + "\n"
	if _, err := YAMLToJSON([]byte(doc + "b: [*a, *a, *a, *a]\n")); err != nil {
		t.Errorf("5 MiB: %v", err)
	}
	if _, err := YAMLToJSON([]byte(doc + "b: &b [*a, *a, *a, *a]\nc: [*b, *b]\n")); !errors.Is(err, errExpands) {
		t.Errorf("9 MiB: %v", err)
	}
}

// Keys keep the order of the file, and those that are there twice are both there: only so can the second one be named.
func TestYAMLOrder(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"b: 1\na: 2\nb: 3":                          `{"b":1,"a":2,"b":3}`,
		"z: {u: 1, x: {w: 2, v: 3}}":                `{"z":{"u":1,"x":{"w":2,"v":3}}}`,
		"m: &m {q: 1, p: 2}\nz: {<<: *m, r: 3}":     `{"m":{"q":1,"p":2},"z":{"r":3,"p":2,"q":1}}`,
		"m: &m {q: 1}\nz: {<<: *m, q: 2}":           `{"m":{"q":1},"z":{"q":2}}`,
		"1: a\n2.5: b\nfalse: c\n1e3: d\n0x10: e\n": `{"1":"a","2.5":"b","false":"c","1000":"d","16":"e"}`,
	} {
		if got, err := YAMLToJSON([]byte(doc)); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", doc, got, err, want)
		}
	}
}

// Any tree that is written as YAML is read as that tree.
func TestYAMLRoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewSource(5))
	words := []string{"", "a", "yes", "no", "null", "~", "1", "1.5", "0x1", "- a", "a: b", "#c", "it's", "\"q\"", "ü\n☺", "  b ", "*x", "&x", "!t", "{", "%"}
	var tree func(depth int) any
	tree = func(depth int) any {
		switch n := random.Intn(6); {
		case depth > 0 && n == 0:
			list := make([]any, random.Intn(4))
			for i := range list {
				list[i] = tree(depth - 1)
			}
			return list
		case depth > 0 && n <= 2:
			m := map[string]any{}
			for range random.Intn(4) {
				m[words[random.Intn(len(words))]] = tree(depth - 1)
			}
			return m
		case n == 3:
			return random.Int63() - random.Int63()
		case n == 4:
			return []any{nil, true, false}[random.Intn(3)]
		}
		return words[random.Intn(len(words))]
	}
	for range 300 {
		want := map[string]any{"root": tree(4)}
		text, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		data, err := YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var got map[string]any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nis read as %s (%v)", text, data, err)
		}
	}
}

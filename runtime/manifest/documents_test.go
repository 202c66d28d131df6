package manifest

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// TestDocumentsOfAFile: every document of a file is taken, whatever its text is encoded in and its lines end with, and what
// is nothing to kubectl is nothing here.
func TestDocumentsOfAFile(t *testing.T) {
	const a, b = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
	wide := func(text string, big bool) string {
		var out []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
			if low, high := byte(u), byte(u>>8); big {
				out = append(out, high, low)
			} else {
				out = append(out, low, high)
			}
		}
		return string(out)
	}
	for name, text := range map[string]string{
		"UTF-16":                   wide(a+"---\n"+b, false),
		"UTF-16, big endian":       wide(a+"---\n"+b, true),
		"carriage returns":         strings.ReplaceAll(a+"---\n"+b, "\n", "\r"),
		"carriage returns, too":    strings.ReplaceAll(a+"---\n"+b, "\n", "\r\n"),
		"another end of a line":    strings.ReplaceAll(a+"---\n"+b, "\n", "\u0085"),
		"a mark in the middle":     "\ufeff" + a + "---\n\ufeff" + b,
		"a mark before the marker": a + "\ufeff---\n" + b,
		"null":                     "null\n---\n" + a + "---\n~\n--- # nothing\nnull # at all\n---\n" + b + "---\n# comment\n",
		"null in JSON":             `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}} null {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`,
	} {
		objects, problems := Parse("f", []byte(text))
		if len(objects) != 2 || len(problems) != 0 || objects[0].Name != "a" || objects[1].Name != "b" {
			t.Errorf("%s: %d objects, problems %v", name, len(objects), problems)
		}
	}
	if _, problems := Parse("f", []byte("{}\n---\n"+a)); len(problems) != 1 || !strings.Contains(problems[0].Message, "apiVersion and kind are missing") {
		t.Errorf("an empty mapping: %v", problems)
	}
}

// TestDoubledKeyBesideAMerge: << makes no key welcome twice; one that overrides a merged one is not doubled.
func TestDoubledKeyBesideAMerge(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: w, z: '1'}, annotations: {<<: *l, z: '2'}}\n"
	objects, problems := Parse("f", []byte(head+"data: {k: v}\n"))
	if len(problems) != 0 || len(objects) != 1 || objects[0].Value.GetAnnotations()["x"] != "w" || objects[0].Value.GetAnnotations()["z"] != "2" {
		t.Errorf("%v %v", objects, problems)
	}
	if _, problems := Parse("f", []byte(head+"data: {k: v, k: w}\n")); len(problems) != 1 || !strings.Contains(problems[0].Message, `"data.k"`) {
		t.Errorf("a doubled key: %v", problems)
	}
}

package printers

import (
	"maps"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Overrides of the writing direction are spelled, wherever a text stands and whatever else is in it, and the values stay.
func TestYAMLWithoutOverrides(t *testing.T) {
	want := map[string]string{
		"plain":          "user\u202egnp.exe",
		"k\u2066ey":      "isolated\u2069",
		"lines":          "one\u202d\n two\n",
		"looks like it":  `\x92override202e \u202e`,
		"mark":           "\u0092override202e\u202e\\",
		"alone":          "\u202a",
		"long":           strings.Repeat("word \u202b", 60),
		"harmless":       "ünïcode ✓",
		"quote":          "\"\u202e\" '\u202e'",
		"mark made long": "override-override--\u202e",
	}
	out, err := MarshalYAML(want)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(out), "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u0092") {
		t.Errorf("%q", out)
	}
	if !strings.Contains(string(out), `plain: "user\u202egnp.exe"`) || !strings.Contains(string(out), "harmless: ünïcode ✓\n") {
		t.Errorf("%s", out)
	}
	var got map[string]string
	if err := yaml.Unmarshal(out, &got); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v: %q of\n%s", err, got, out)
	}
}

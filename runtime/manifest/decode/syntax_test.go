package decode

import (
	"strings"
	"testing"
)

// What is wrong with a document that cannot be read, in which line of the file, and what is to be done.
func TestSyntaxFault(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file, doc, want string
	}{
		{"a list", "f.yaml", "- a: 1\n", "a manifest is a mapping, not a list; write each item as a document of its own, with --- between them, or under items of a v1 List"},
		{"a word", "f.yaml", "hello\n", "a manifest is a mapping with apiVersion, kind, metadata and spec; write a Pod, or move the file out of this folder"},
		{"a tab", "f.yaml", "a:\n\tb: 1\n", "line 12: a tab indents; YAML allows spaces only"},
		{"a template", "f.yaml", "a: 1\nb: {{ .Values.b }}\n", "line 12: {{ ... }} is a template; render it first (e.g. helm template)"},
		{"a template in a line of its own", "f.yaml", "a: 1\n{{- if .Values.b }}\nb: 2\n{{- end }}\n", "line 12: {{ ... }} is a template; render it first (e.g. helm template)"},
		{"a key that is a mapping", "f.yaml", "a: {{b: c}: d}\n", "line 11: {{ ... }} is a template; render it first (e.g. helm template)"},
		{"a key that is a list", "f.yaml", "[a]: b\n", "a manifest is a mapping, not a list; write each item as a document of its own, with --- between them, or under items of a v1 List"},
		{"a key within that is a list", "f.yaml", "x: {[a]: b}\n", "a key is a mapping or a list; put it in quotes"},
		{"an anchor that is not there", "f.yaml", "a: 1\nb: *x\n", "line 12: not valid YAML: unknown anchor 'x' referenced; write the value out, or put it in quotes"},
		{"a letter that begins nothing", "f.yaml", "a: 1\nb: @x\n", "line 12: not valid YAML: found character that cannot start any token; put the value in quotes"},
		{"a second colon", "f.yaml", "a: b: c\n", "line 11: not valid YAML: mapping values are not allowed in this context; check indentation, colons and brackets"},
		{"bytes that are no text", "f.yaml", "a: 1\nb: \xff\n", "line 12 is not text in UTF-8; save the file as UTF-8 YAML or JSON, or remove it"},
		{"a control character", "f.yaml", "a: 1\nb: 2\nc: \x01\n", "line 13 is not text in UTF-8; save the file as UTF-8 YAML or JSON, or remove it"},
		{"JSON of another name", "f.yaml", "{\"a\": 1\n\"b\": 2}\n", "line 12: not valid JSON: invalid character '\"' after object key:value pair; check commas, quotes and brackets"},
		{"JSON that is cut off", "f.json", "{\"a\": [1,\n", "line 11: not valid JSON: unexpected end of JSON input; check commas, quotes and brackets"},
		{"too deep", "f.yaml", "a: " + strings.Repeat("[", 11000) + "\n", "nested too deeply; simplify it"},
	} {
		_, err := YAMLToJSON([]byte(tc.doc))
		if err == nil {
			t.Errorf("%s: it can be read", tc.name)
			continue
		}
		f := SyntaxFault(err, Chunk{Data: []byte(tc.doc), Line: 11}, tc.file)
		if f.Text != tc.want {
			t.Errorf("%s: got\n%s, want\n%s", tc.name, f.Text, tc.want)
		}
		if f.At < 11 || strings.HasPrefix(f.Text, "line ") && !strings.HasPrefix(f.Text, "line "+string(rune('0'+f.At/10))+string(rune('0'+f.At%10))) {
			t.Errorf("%s: at line %d", tc.name, f.At)
		}
	}
	long := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: &b [*a, *a, *a, *a]\nc: [*b, *b]\n"
	_, err := YAMLToJSON([]byte(long))
	if f := SyntaxFault(err, Chunk{Data: []byte(long), Line: 3}, "f.yaml"); f.Text != "too many aliases (*name); write the values out" || f.At != 3 {
		t.Errorf("aliases: %.100s at %d", f.Text, f.At)
	}
}

// Words that YAML 1.1 takes for something else than who wrote them did. https://yaml.org/type/bool.html
func TestExplainValue(t *testing.T) {
	t.Parallel()
	const text = ": must be a string: put it in quotes"
	for _, tc := range []struct{ said, line, want string }{
		{"a: Invalid value: true" + text, "a: yes", `a: Invalid value: true: yes means true in YAML; write "yes" in quotes`},
		{"a: Invalid value: false" + text, "  - {b: 1, a: Off} # on", `a: Invalid value: false: Off means false in YAML; write "Off" in quotes`},
		{"a: Invalid value: true" + text, "a: true", "a: Invalid value: true" + text},
		{"a: Invalid value: false" + text, "a: yes", "a: Invalid value: false" + text},
		{"a: Invalid value: 8" + text, "a: 010", `a: Invalid value: 010: must be a string: YAML reads 010 as the number 8; write "010" in quotes`},
		{"a: Invalid value: 1000" + text, "a: 1e3", `a: Invalid value: 1e3: must be a string: YAML reads 1e3 as the number 1000; write "1e3" in quotes`},
		{"a: Invalid value: 1" + text, "a: 1", "a: Invalid value: 1" + text},
		{"mode: Invalid value: 511: must be a number between 0 and 0777 (octal), both inclusive", "mode: 0777", "mode: Invalid value: 0777: must be a number between 0 and 0777 (octal), both inclusive"},
		{"a: Required value", "a: yes", "a: Required value"},
		{"", "", ""},
	} {
		if got := ExplainValue(tc.said, []byte(tc.line)); got != tc.want {
			t.Errorf("%s of %q: got\n%s, want\n%s", tc.said, tc.line, got, tc.want)
		}
	}
	for _, word := range strings.Fields("y Y yes Yes YES on On ON") {
		if truth(word) != "true" {
			t.Errorf("%s is not true", word)
		}
	}
	for _, word := range strings.Fields("n N no No NO off Off OFF") {
		if truth(word) != "false" {
			t.Errorf("%s is not false", word)
		}
	}
	for _, word := range strings.Fields("true false yEs oN 1 nO ja") {
		if truth(word) != "" {
			t.Errorf("%s is said to be a boolean of YAML 1.1 alone", word)
		}
	}
}

func TestLineAt(t *testing.T) {
	t.Parallel()
	for line, want := range map[int]string{-1: "", 0: "", 1: "a", 2: "", 3: "b", 4: "", 5: ""} {
		if got := string(LineAt([]byte("a\n\nb\n"), line)); got != want {
			t.Errorf("line %d: %q, want %q", line, got, want)
		}
	}
}

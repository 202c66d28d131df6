package decode

import (
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"unicode/utf16"
)

// chunks prints documents as "line:text", with | for line ends.
func chunks(data string) string {
	var out []string
	for _, c := range Split([]byte(data)) {
		text := strings.ReplaceAll(strings.TrimRight(string(c.Data), "\n"), "\n", "|")
		if c.JSON {
			text = "json " + text
		}
		out = append(out, fmt.Sprintf("%d:%s", c.Line, text))
	}
	return strings.Join(out, " / ")
}

// The documents of a stream. https://yaml.org/spec/1.1/#id898031 and, for what is nothing, kubectl.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, data, want string }{
		{"nothing", "", ""},
		{"white space and comments", " \n# a\n\t\n", ""},
		{"one document", "a: 1\nb: 2\n", "1:a: 1|b: 2"},
		{"no line end", "a: 1", "1:a: 1"},
		{"a marker first", "---\na: 1\n", "1:---|a: 1"},
		{"two documents", "a: 1\n---\nb: 2\n", "1:a: 1 / 2:---|b: 2"},
		{"comments count as lines", "# x\n\na: 1\n---\n# y\nb: 2\n", "1:# x||a: 1 / 4:---|# y|b: 2"},
		{"empty documents between", "---\n---\na: 1\n---\n---\n", "2:---|a: 1"},
		{"null is nothing", "null\n---\n~\n---\na: 1\n---\nNull # none\n", "4:---|a: 1"},
		{"two nulls are something", "null\nnull\n", "1:null|null"},
		{"content behind the marker", "--- {a: 1}\n--- # nothing\n", "1:--- {a: 1}"},
		{"dashes that are no marker", "a: |\n  ---\n ---\n----\n", "1:a: ||  ---| ---|----"},
		{"the end of a document", "a: 1\n...\nb: 2\n", "1:a: 1 / 3:b: 2"},
		{"directives belong to what follows", "%YAML 1.1\n---\na: 1\n...\n%TAG ! x\n--- \nb: 2\n", "1:%YAML 1.1|---|a: 1 / 5:%TAG ! x|--- |b: 2"},
		{"line ends of Windows", "a: 1\r\n---\r\nb: 2\r\n", "1:a: 1 / 2:---|b: 2"},
		{"line ends of old", "a: 1\r---\rb: 2", "1:a: 1 / 2:---|b: 2"},
		{"a mark of byte order", "\xef\xbb\xbfa: 1\n", "1:a: 1"},
		{"marks of two files", "\xef\xbb\xbfa: 1\n\xef\xbb\xbf---\nb: 2\n", "1:a: 1 / 2:---|b: 2"},
		{"line ends of Unicode before a marker", "a: 1\u2028---\u2028b: 2", "1:a: 1 / 2:---|b: 2"},
		{"line ends of Unicode elsewhere", "a: 'x\u2029y'\n", "1:a: 'x\u2029y'"},
		{"JSON", "{\"a\": 1}", "1:json {\"a\": 1}"},
		{"a stream of JSON", "\n{\"a\": 1}\n{\"b\":\n2} null {\"c\": 3}", `2:json {"a": 1} / 3:json {"b":|2} / 4:json {"c": 3}`},
		{"YAML that begins as JSON", "{a: 1}\n---\nb: 2\n", "1:{a: 1} / 2:---|b: 2"},
		{"JSON and then YAML", "{\"a\": 1}\n---\nb: 2\n", "1:{\"a\": 1} / 2:---|b: 2"},
		{"JSON that is cut off", "{\"a\": 1}\n{\"b\": ", "1:{\"a\": 1}|{\"b\": "},
	} {
		if got := chunks(tc.data); got != tc.want {
			t.Errorf("%s: %q\ngot  %s\nwant %s", tc.name, tc.data, got, tc.want)
		}
		for name, order := range map[string]func(uint16) []byte{
			"little": func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} },
			"big":    func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} },
		} {
			wide := order(0xfeff)
			for _, u := range utf16.Encode([]rune(strings.TrimPrefix(tc.data, "\xef\xbb\xbf"))) {
				wide = append(wide, order(u)...)
			}
			if got := chunks(string(wide)); got != tc.want {
				t.Errorf("%s in UTF-16, %s endian: got %s, want %s", tc.name, name, got, tc.want)
			}
		}
	}
}

// Whatever a file holds: the lines of its documents grow, and each document begins on the line that is said.
func TestSplitLines(t *testing.T) {
	t.Parallel()
	parts := []string{"a: 1\n", "---\n", "...\n", "# c\n", "%YAML 1.1\n", "\n", "null\n", "--- x\n", "{}\n", "- a\n", "b:\n  - c\n"}
	if err := quick.Check(func(picks []uint8) bool {
		var text strings.Builder
		for _, p := range picks {
			text.WriteString(parts[int(p)%len(parts)])
		}
		all, last := text.String(), 0
		lines := strings.SplitAfter(all, "\n")
		for _, c := range Split([]byte(all)) {
			if c.Line <= last || !strings.HasPrefix(strings.Join(lines[c.Line-1:], ""), string(c.Data)) {
				t.Logf("%q: %q at %d", all, c.Data, c.Line)
				return false
			}
			last = c.Line
		}
		return true
	}, nil); err != nil {
		t.Error(err)
	}
}

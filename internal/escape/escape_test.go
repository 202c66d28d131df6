package escape

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"plain, ünïcode ✓\n\tindent": "plain, ünïcode ✓\n\tindent",
		"\x1b[2J\x1b]0;title\x07ok":  "^[[2J^[]0;title^Gok",
		"a\rb":                       `a\rb`,
		"\x00\x08\x0b\x0c\x7f":       "^@^H^K^L^?",
		"\u009b2J":                   `\u009b2J`, // CSI in one character
		"\x9b2J":                     `\x9b2J`,   // and in one byte
		"abc\xc3":                    `abc\xc3`,
		"user\u202egnp.exe":          `user\u202egnp.exe`,
		"one\u2028two":               `one\u2028two`,
		"\ufffd":                     "\ufffd",
	} {
		got := Text(in)
		if got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
		if again := Text(got); again != got {
			t.Errorf("Text(%q) = %q: it changes what it returned", got, again)
		}
	}
	if got := Line("one\ntwo\tthree\x1b"); got != `one\ntwo\tthree^[` {
		t.Errorf("Line: %q", got)
	}
}

func TestWriterCountsWhatItWasGiven(t *testing.T) {
	var b bytes.Buffer
	n, err := Writer(&b).Write([]byte("\x1b\x1b"))
	if n != 2 || err != nil || b.String() != "^[^[" {
		t.Errorf("%d, %v, %q", n, err, b.String())
	}
}

// TestJSONKeepsValues: the encoder lets DEL, C1 and overrides through.
func TestJSONKeepsValues(t *testing.T) {
	want := "\x1b\x7f\u009b\u202e ü\n"
	data, err := json.Marshal(map[string]string{"message": want})
	if err != nil {
		t.Fatal(err)
	}
	spelled := JSON(data)
	if strings.ContainsAny(string(spelled), "\x1b\x7f\u009b\u202e") {
		t.Errorf("%q", spelled)
	}
	var got map[string]string
	if err := json.Unmarshal(spelled, &got); err != nil || got["message"] != want {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[2J\x9b\u009b")
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{Text(s), Line(s)} {
			if !utf8.ValidString(out) {
				t.Errorf("%q is no text", out)
			}
			if strings.ContainsFunc(out, func(r rune) bool { return !harmless(r, false) }) {
				t.Errorf("%q", out)
			}
		}
		if Line(s) != Line(Text(Line(s))) {
			t.Errorf("%q changes again", Line(s))
		}
	})
}

// Package escape makes text that others have written harmless on a terminal and in a log: what a container says of
// itself must not move the operator's cursor, set the title of a window, or look like a line of podd's own
// (CVE-2021-25743).
package escape

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Text shows control characters instead of sending them; lines and tabs stay. ESC and CR are spelled as kubectl spells
// them (^[ and \r), the other ASCII ones in caret notation, and the rest (C1, which terminals obey too, separators of
// lines and the overrides of writing direction) as in Go. It changes nothing in text that it returned before.
func Text(s string) string { return escape(s, false) }

// Line is Text for what must stay on one line and in one cell: line feeds and tabs are spelled, too.
func Line(s string) string { return escape(s, true) }

// JSON spells in valid JSON what its encoder lets through, as \u009b. The values stay the same.
func JSON(data []byte) []byte {
	if clean(data, false) {
		return data
	}
	out := make([]byte, 0, len(data)+16)
	for _, r := range string(data) {
		if harmless(r, false) {
			out = utf8.AppendRune(out, r)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// YAML turns JSON into YAML by way of convert, with control characters spelled. An encoder does that itself for those that
// YAML may not hold, and where there is one it writes the text in double quotes; to it, overrides of the writing direction are
// letters. So they get one before them, and a mark that is nowhere else, which become the spelling afterwards.
func YAML(data []byte, convert func([]byte) ([]byte, error)) ([]byte, error) {
	const quoting = '\u0092'
	mark := "override"
	for bytes.Contains(data, []byte(mark)) {
		mark += "-"
	}
	var b strings.Builder
	for _, r := range string(data) {
		if override(r) {
			fmt.Fprintf(&b, "%c%s%04x", quoting, mark, r)
		} else {
			b.WriteRune(r)
		}
	}
	out, err := convert(JSON([]byte(b.String())))
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(out, []byte(fmt.Sprintf(`\x%02X%s`, quoting, mark)), []byte(`\u`)), nil
}

// Writer passes text on to w through Text. A character must not be split between two writes.
func Writer(w io.Writer) io.Writer {
	return writer{w, func(p []byte) []byte { return []byte(Text(string(p))) }}
}

// JSONWriter passes JSON on to w through JSON.
func JSONWriter(w io.Writer) io.Writer { return writer{w, JSON} }

type writer struct {
	w     io.Writer
	spell func([]byte) []byte
}

// Write counts the bytes of p, not what became of them.
func (e writer) Write(p []byte) (int, error) {
	if clean(p, false) {
		return e.w.Write(p)
	}
	if _, err := e.w.Write(e.spell(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func escape(s string, line bool) string {
	if clean(s, line) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r, line):
			b.WriteRune(r)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r <= 0x7f:
			b.WriteByte('^')
			b.WriteByte(byte(r) ^ 0x40)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// clean tells whether there is nothing to do, which is the rule.
func clean[T string | []byte](s T, line bool) bool {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
		} else if !harmless(rune(s[i]), line) {
			return false
		}
	}
	if ascii {
		return true
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		if r == utf8.RuneError && size == 1 || !harmless(r, line) {
			return false
		}
		i += size
	}
	return true
}

func harmless(r rune, line bool) bool {
	switch {
	case r == '\n', r == '\t':
		return !line
	case r < ' ', r >= 0x7f && r < 0xa0: // C0, DEL, C1
		return false
	case r == 0x2028, r == 0x2029: // separators of lines and paragraphs
		return false
	}
	return !override(r)
}

// override: directional embeddings, overrides, isolates.
func override(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

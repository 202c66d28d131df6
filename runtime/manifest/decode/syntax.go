package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v2"
)

// SyntaxFault explains why a document of a file cannot be read at all.
func SyntaxFault(err error, c Chunk, file string) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if te, ok := errors.AsType[*yaml.TypeError](err); ok && len(te.Errors) > 0 {
		text = te.Errors[0]
	}
	line := 1 // of the document: the decoder leaves out the first
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
		if isToken(text) {
			line++
		}
		line = min(line, 1+bytes.Count(bytes.TrimRight(c.Data, " \r\n"), []byte("\n")))
	}
	switch {
	case errors.Is(err, errList):
		return Fault{Text: "a manifest is a mapping, not a list; write each item as a document of its own, with --- between them, or under items of a v1 List", At: c.Line}
	case errors.Is(err, errNoMapping):
		return Fault{Text: text, At: c.Line}
	case errors.Is(err, errExpands), strings.Contains(text, "excessive aliasing"):
		return Fault{Text: "too many aliases (*name); write the values out", At: c.Line}
	case strings.Contains(text, "exceeded max depth"):
		return Fault{Text: "nested too deeply; simplify it", At: c.Line + line - 1}
	case isEncoding(text):
		line = badRune(c.Data)
		line += c.Line - 1
		return Fault{Text: fmt.Sprintf("line %d is not text in UTF-8; save the file as UTF-8 YAML or JSON, or remove it", line), At: line}
	}
	if at := templateLine(c.Data, err, line); at > 0 {
		return atLine(c, at, "{{ ... }} is a template; render it first (e.g. helm template)")
	}
	if errors.Is(err, errKey) {
		return Fault{Text: "a key is a mapping or a list; put it in quotes", At: c.Line}
	}
	if isJSON(c.Data, file) {
		if line, text := jsonFault(c.Data); text != "" {
			return atLine(c, line, "not valid JSON: "+text+"; check commas, quotes and brackets")
		}
	}
	if isTab(LineAt(c.Data, line)) {
		return atLine(c, line, "a tab indents; YAML allows spaces only")
	}
	remedy := "; check indentation, colons and brackets"
	if name, ok := anchorOf(text); ok {
		remedy = "; write the value out, or put it in quotes"
		if i := bytes.Index(c.Data, []byte("*"+name)); i >= 0 {
			line = 1 + bytes.Count(c.Data[:i], []byte("\n"))
		}
	} else if strings.Contains(text, "cannot start any token") {
		remedy = "; put the value in quotes"
	}
	return atLine(c, line, "not valid YAML: "+text+remedy)
}

// isToken tells whether an error is about a token in the wrong place, whose line the decoder counts from 0. An unclosed
// bracket is not: it is in a line before.
func isToken(text string) bool {
	return text == "did not find expected key" || text == "did not find expected '-' indicator" ||
		text == "did not find expected node content" || text == "did not find expected <document start>"
}

func atLine(c Chunk, line int, text string) Fault {
	line += c.Line - 1
	return Fault{Text: fmt.Sprintf("line %d: %s", line, text), At: line}
}

// isEncoding tells whether the decoder stumbled over bytes rather than over YAML.
func isEncoding(text string) bool {
	return strings.Contains(text, "UTF-8") || strings.Contains(text, "UTF-16") || strings.Contains(text, "surrogate") ||
		strings.Contains(text, "control characters")
}

// badRune returns the line of the first character that YAML does not allow (YAML 1.1, section 5.1).
func badRune(data []byte) int {
	line := 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\n':
			line++
		case r == '\t', r == '\r', r == 0x85:
		case r == utf8.RuneError && size == 1, r < ' ', r >= 0x7f && r < 0xa0:
			return line
		}
		rest = rest[size:]
	}
	return 1
}

// templateLine returns the line of the {{ that made the decoder fail, or 0. To YAML {{ a }} is a mapping that is the
// key of a mapping, which is no JSON either.
func templateLine(data []byte, err error, line int) int {
	for i, text := range bytes.Split(data, []byte("\n")) {
		near := i+1 >= line-1 && i+1 <= line+1
		if bytes.Contains(text, []byte("{{")) && (near || errors.Is(err, errKey)) && !isBlank(text) {
			return i + 1
		}
	}
	return 0
}

// isJSON tells whether a document was meant as JSON: by the name of its file, or because it starts with {".
func isJSON(data []byte, file string) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(data), []byte("{"))
	return filepath.Ext(file) == ".json" || ok && bytes.HasPrefix(bytes.TrimSpace(rest), []byte(`"`))
}

// jsonFault says what the JSON decoder finds wrong with a stream of values, and in which line.
func jsonFault(data []byte) (int, string) {
	for at := 0; ; {
		rest := bytes.TrimLeft(data[at:], " \t\r\n")
		if len(rest) == 0 {
			return 0, ""
		}
		at = len(data) - len(rest)
		var value json.RawMessage
		dec := json.NewDecoder(bytes.NewReader(rest))
		if dec.Decode(&value) == nil {
			at += int(dec.InputOffset())
			continue
		}
		// The other decoder tells where.
		se, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(rest, &value))
		if !ok {
			return 0, ""
		}
		end := min(at+int(se.Offset), len(data))
		return 1 + bytes.Count(bytes.TrimRight(data[:end], "\n"), []byte("\n")), se.Error()
	}
}

// LineAt is a line of data, counted from 1.
func LineAt(data []byte, line int) []byte {
	lines := bytes.Split(data, []byte("\n"))
	if line < 1 || line > len(lines) {
		return nil
	}
	return lines[line-1]
}

// isTab tells whether a tab is among the white space that a line starts with.
func isTab(line []byte) bool {
	return bytes.ContainsRune(line[:len(line)-len(bytes.TrimLeft(line, " \t"))], '\t')
}

// anchorOf reads the name out of the decoder's errors about anchors.
func anchorOf(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "unknown anchor '")
	if !ok {
		rest, ok = strings.CutPrefix(text, "anchor '")
	}
	name, _, _ := strings.Cut(rest, "'")
	return name, ok
}

// ExplainValue explains a boolean or a number that should have been something else, if the line of the field spells it in one
// of the ways that only YAML 1.1 takes for one, or otherwise than it is read.
func ExplainValue(text string, line []byte) string {
	at := strings.LastIndex(text, "Invalid value: ")
	if at < 0 {
		return text
	}
	before := text[:at]
	value, rule, _ := strings.Cut(text[at+len("Invalid value: "):], ": ")
	isText := rule == "must be a string: put it in quotes"
	line, _, _ = bytes.Cut(line, []byte(" #"))
	for _, field := range slices.Backward(bytes.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r,{}[]:", r) })) {
		switch word := string(field); {
		case isText && truth(word) == value:
			return fmt.Sprintf("%sInvalid value: %s: %s means %s in YAML; write %q in quotes", before, value, word, value, word)
		case word != value && !isText && isNumber(word, value):
			return fmt.Sprintf("%sInvalid value: %s: %s", before, word, rule)
		case word != value && isNumber(word, value):
			return fmt.Sprintf("%sInvalid value: %s: must be a string: YAML reads %s as the number %s; write %q in quotes", before, word, word, value, word)
		}
	}
	return text
}

// isNumber tells whether YAML reads a word as a number that is printed as value.
func isNumber(word, value string) bool {
	var read any
	if yaml.Unmarshal([]byte(word), &read) != nil {
		return false
	}
	switch read.(type) {
	case int, int64, uint64, float64:
		text, err := json.Marshal(read)
		return err == nil && string(text) == value
	}
	return false
}

// truth tells what an unquoted word means in YAML 1.1 (yaml.org/type/bool.html), or "".
func truth(word string) string {
	switch word {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return "true"
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return "false"
	}
	return ""
}

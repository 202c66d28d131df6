// Package decode reads YAML 1.1 and JSON as Kubernetes does, strictly: documents of a file, objects without unknown and
// doubled fields, the line of every field, and sentences about what is wrong.
package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"unicode/utf16"
)

// Chunk is one document of a file and the 1-based line on which it starts.
type Chunk struct {
	Data []byte
	Line int
	JSON bool
}

// Split cuts a file into its documents, each of which then stands or falls alone. Documents that hold nothing
// but comments are dropped.
func Split(data []byte) []Chunk {
	data = plainText(data)
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) > 0 && first[0] == '{' {
		if chunks, ok := splitJSON(data); ok {
			return chunks
		}
	}
	return splitYAML(data)
}

// plainText is a file in UTF-8, without marks of byte order, and with line feeds for line ends: what follows looks for
// lines, and would take half of a file for all of it if it saw others than the YAML decoder.
func plainText(data []byte) []byte {
	const mark = "\xef\xbb\xbf"
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		data = fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		data = fromUTF16(data[2:], binary.BigEndian)
	}
	data = bytes.TrimPrefix(data, []byte(mark))
	if bytes.Contains(data, []byte(mark)) { // cat of two files with one each
		data = bytes.ReplaceAll(data, []byte("\n"+mark), []byte("\n"))
	}
	if i := bytes.IndexByte(data, '\r'); i >= 0 {
		data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	}
	// YAML 1.1 ends lines with these as well; within a document they stay what they are.
	for _, end := range []string{"\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(data, []byte(end+"---")) {
			data = bytes.ReplaceAll(data, []byte(end+"---"), []byte("\n---"))
			data = bytes.ReplaceAll(data, []byte("\n---"+end), []byte("\n---\n"))
		}
	}
	return data
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) > 1; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return []byte(string(utf16.Decode(units)))
}

// splitJSON cuts a stream of JSON values. It fails on what is not JSON through and through: YAML may start with a
// brace as well.
func splitJSON(data []byte) ([]Chunk, bool) {
	var chunks []Chunk
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if err != nil {
			return chunks, len(chunks) > 0 && len(bytes.TrimSpace(data[dec.InputOffset():])) == 0
		}
		if string(raw) == "null" {
			continue // as kubectl does
		}
		start := int(dec.InputOffset()) - len(raw)
		chunks = append(chunks, Chunk{Data: raw, Line: 1 + bytes.Count(data[:start], []byte("\n")), JSON: true})
	}
}

// splitYAML cuts at lines that start with "---" (YAML 1.1, section 9.2); what follows the marker on its line, and
// directives before it, belong to the document.
func splitYAML(data []byte) []Chunk {
	var chunks []Chunk
	start, startLine, line, directives := 0, 1, 1, true
	add := func(end int) {
		if d := data[start:end]; hasContent(d) {
			chunks = append(chunks, Chunk{Data: d, Line: startLine})
		}
	}
	for pos := 0; pos < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		switch text := data[pos:end]; {
		case isMarker(text, "---"):
			if !directives {
				add(pos)
				start, startLine = pos, line
			}
			directives = false
		case isMarker(text, "..."):
			add(pos)
			start, startLine, directives = end, line+1, true
		case !isBlank(text) && text[0] != '%':
			directives = false
		}
		pos = end
	}
	add(len(data))
	return chunks
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// isBlank tells whether a line is empty or a comment.
func isBlank(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || text[0] == '#'
}

// hasContent tells whether a document holds anything besides markers, directives and comments. Null is nothing, as it is to
// kubectl.
func hasContent(doc []byte) bool {
	null := false
	for line := range bytes.Lines(doc) {
		if isMarker(line, "---") {
			line = line[3:]
		} else if line[0] == '%' {
			continue
		}
		if isBlank(line) {
			continue
		}
		text, _, _ := bytes.Cut(line, []byte(" #"))
		switch string(bytes.TrimSpace(text)) {
		case "null", "Null", "NULL", "~":
			if !null {
				null = true
				continue
			}
		}
		return true
	}
	return false
}

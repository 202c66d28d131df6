// Package decode reads YAML 1.1 and JSON as Kubernetes does, strictly: documents of a file, objects without unknown and
// doubled fields, the line of every field, and sentences about what is wrong.
package decode

import (
	"bytes"
	"encoding/json"
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
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) > 0 && first[0] == '{' {
		if chunks, ok := splitJSON(data); ok {
			return chunks
		}
	}
	return splitYAML(data)
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

// hasContent tells whether a document holds anything besides markers, directives and comments.
func hasContent(doc []byte) bool {
	for line := range bytes.Lines(doc) {
		if isMarker(line, "---") {
			line = line[3:]
		} else if line[0] == '%' {
			continue
		}
		if !isBlank(line) {
			return true
		}
	}
	return false
}

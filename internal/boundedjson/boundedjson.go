// Package boundedjson decodes JSON of strangers: a document of a few MiB can become hundreds of MiB of lists.
package boundedjson

import (
	"encoding/json"
	"errors"
)

// ErrTooMany: a document has more than Most members and elements.
var ErrTooMany = errors.New("it has more than 100000 elements")

// Most is how many members of objects and elements of arrays a document may have, all together.
const Most = 100_000

// Unmarshal is json.Unmarshal for a document that is not believed: ErrTooMany comes before anything is made of it.
func Unmarshal(data []byte, v any) error {
	if Count(data) > Most {
		return ErrTooMany
	}
	return json.Unmarshal(data, v)
}

// Count is at least how many members and elements there are; it takes no memory.
func Count(data []byte) (n int) {
	quoted := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

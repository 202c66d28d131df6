package decode

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v2"
)

// Lines finds the lines of fields in one document. It decodes the document a second time, so it is made only for
// a document that has a problem.
type Lines struct {
	root *place
	base int // line of the document in the file
}

// FindLines reads the places of every key of c; a document that is not YAML has none.
func FindLines(c Chunk) *Lines {
	data := c.Data
	if c.JSON {
		// A tab between tokens is fine in JSON and an error in YAML; inside a JSON string it cannot stand.
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	root := &place{}
	if yaml.Unmarshal(data, root) != nil {
		root = &place{}
	}
	return &Lines{root: root, base: c.Line}
}

// Of returns the line of the field at path, of its nearest parent if the document lacks it, or 0. The nth place is
// meant when the key is doubled (0 is the first).
func (l *Lines) Of(path string, nth int) int {
	at, line := l.root, 0
	for _, step := range steps(path) {
		next, nextLine := at.child(step, 0)
		if n, nl := at.child(step, nth); n != nil {
			next, nextLine = n, nl
		}
		if next == nil {
			break
		}
		at, line = next, nextLine
	}
	if line == 0 {
		return 0
	}
	return line + l.base - 1
}

// steps takes "spec.containers[0].args[1]" apart into keys and "#n" for an index. A bracket that holds no number
// is a key (labels[a.b/c]).
func steps(path string) []string {
	var out []string
	for path != "" {
		if path[0] == '[' {
			inner, rest, _ := strings.Cut(path[1:], "]")
			if _, err := strconv.Atoi(inner); err == nil {
				inner = "#" + inner
			}
			out, path = append(out, inner), strings.TrimPrefix(rest, ".")
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(out, path)
		}
		out = append(out, path[:end])
		path = strings.TrimPrefix(path[end:], ".")
	}
	return out
}

// place is a node of a document with its line. The decoder tells lines only in its errors, so each node is
// first decoded into something that no node fits.
type place struct {
	line int
	keys map[placeKey]*place
	list []*place
}

type placeKey struct {
	name string
	line int
}

type fitsNothing chan struct{}

func (p *place) UnmarshalYAML(unmarshal func(any) error) error {
	p.line = lineOf(unmarshal(new(fitsNothing)))
	if unmarshal(&p.keys) == nil && p.keys != nil {
		return nil
	}
	p.keys = nil
	if unmarshal(&p.list) != nil {
		p.list = nil
	}
	return nil
}

func (k *placeKey) UnmarshalYAML(unmarshal func(any) error) error {
	k.line = lineOf(unmarshal(new(fitsNothing)))
	return unmarshal(&k.name)
}

// child returns the nth node with the given step, and the line of its key or list item.
func (p *place) child(step string, nth int) (*place, int) {
	if index, ok := strings.CutPrefix(step, "#"); ok {
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(p.list) || p.list[i] == nil {
			return nil, 0
		}
		return p.list[i], p.list[i].line
	}
	after := 0
	for {
		var best *place
		line := 0
		for k, v := range p.keys {
			if k.name == step && k.line > after && (line == 0 || k.line < line) {
				best, line = v, k.line
			}
		}
		if line == 0 || nth == 0 {
			return nonNil(best, line), line
		}
		after, nth = line, nth-1
	}
}

// nonNil stands in for the node of a null value, which the decoder leaves out.
func nonNil(p *place, line int) *place {
	if p == nil && line > 0 {
		return &place{line: line}
	}
	return p
}

// lineOf reads N out of "line N: cannot unmarshal ...".
func lineOf(err error) int {
	te, ok := errors.AsType[*yaml.TypeError](err)
	if !ok || len(te.Errors) == 0 {
		return 0
	}
	text, _ := strings.CutPrefix(te.Errors[0], "line ")
	number, _, _ := strings.Cut(text, ":")
	n, _ := strconv.Atoi(number)
	return n
}

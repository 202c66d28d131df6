package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	kjson "sigs.k8s.io/json"
)

// Mapping is a file of keys and values that is no manifest, such as podd's configuration, read by the rules of manifests:
// YAML 1.1 or JSON, as Kubernetes takes it, without unknown and doubled keys.
type Mapping struct {
	data  []byte // as JSON
	lines *Lines
}

// MappingFault is what is wrong with one field.
type MappingFault struct {
	Line int // 0: not known
	Text string
}

func (f MappingFault) String() string {
	if f.Line == 0 {
		return f.Text
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.Text)
}

// ErrNoMapping is returned for a file that is a list or a bare value.
var ErrNoMapping = errors.New("it must consist of keys and values")

// ReadMapping reads a file, which may be empty. The error says what is wrong, in which line; the file's name only tells JSON.
func ReadMapping(file string, data []byte) (*Mapping, error) {
	chunks := Split(data)
	switch len(chunks) {
	case 0:
		return &Mapping{data: []byte("{}"), lines: &Lines{root: &place{}}}, nil
	case 1:
	default:
		return nil, fmt.Errorf("line %d: a second document begins; only one is read", chunks[1].Line)
	}
	c := chunks[0]
	m := &Mapping{data: c.Data, lines: FindLines(c)}
	if c.JSON {
		return m, nil
	}
	var err error
	if m.data, err = YAMLToJSON(c.Data); errors.Is(err, errNoMapping) {
		return nil, ErrNoMapping
	} else if err != nil {
		return nil, errors.New(SyntaxFault(err, c, file).Text)
	}
	return m, nil
}

// Decode reads all keys, but for those at some paths ("a.b"), into a struct with JSON tags. It returns the keys that the struct
// does not have and those that are there twice; the error is about the first value of another type.
func (m *Mapping) Decode(into any, but ...string) ([]MappingFault, error) {
	data := m.data
	if len(but) > 0 {
		tree, err := m.Tree()
		if err != nil {
			return nil, err
		}
		for _, path := range but {
			drop(tree, strings.Split(path, "."))
		}
		if data, err = json.Marshal(tree); err != nil {
			return nil, err
		}
	}
	strict, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	var faults []MappingFault
	for _, f := range strictFaults(strict, reflect.TypeOf(into)) {
		faults = append(faults, MappingFault{Line: m.lines.Of(f.Path, f.Nth), Text: f.Text})
	}
	return faults, nil
}

func drop(tree map[string]any, path []string) {
	if len(path) == 1 {
		delete(tree, path[0])
	} else if inner, ok := tree[path[0]].(map[string]any); ok {
		drop(inner, path[1:])
	}
}

// Tree is all of it: map[string]any, []any, string, bool, int64 and float64.
func (m *Mapping) Tree() (map[string]any, error) {
	var tree map[string]any
	return tree, kjson.UnmarshalCaseSensitivePreserveInts(m.data, &tree)
}

// Line is that of the field at a path ("a.b[1]") or of its nearest parent; 0: there is none.
func (m *Mapping) Line(path string) int { return m.lines.Of(path, 0) }

package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v2"
)

// MaxFileBytes is the largest manifest file that is read: the API server's own limit for a request body.
const MaxFileBytes = 3 << 20

// maxJSON bounds what a document may grow to when its aliases are written out: a few nested aliases of one long
// string would otherwise fill the memory of a board.
const maxJSON = 2 * MaxFileBytes

// errExpands is returned for a document whose aliases write out to more than maxJSON bytes.
var errExpands = errors.New("the aliases expand to more than 6 MiB")

// YAMLToJSON converts one document. Mappings keep their order and their doubled keys, so that the strict JSON
// decoder reports both with their path and in the order of the file.
func YAMLToJSON(doc []byte) ([]byte, error) {
	var root any
	if isList(doc) {
		return nil, errList // which the decoder takes for the items of a mapping
	}
	// The decoder drops merged keys when it keeps order, and to it a key that overrides a merged one is doubled.
	// A document that merges is therefore read into maps, whose last value wins.
	if bytes.Contains(doc, []byte("<<")) {
		if err := yaml.Unmarshal(doc, &root); err != nil {
			if strings.Contains(err.Error(), "invalid map key") {
				err = errKey
			}
			return nil, err
		}
		if _, ok := root.(map[any]any); !ok {
			return nil, errNoMapping
		}
		var written yaml.MapSlice
		if err := yaml.Unmarshal(doc, &written); err != nil {
			return nil, yamlRootError(err)
		}
		root = merged(root, written)
	} else {
		var ordered yaml.MapSlice
		if err := yaml.Unmarshal(doc, &ordered); err != nil {
			return nil, yamlRootError(err)
		}
		root = ordered
	}
	return appendJSON(make([]byte, 0, len(doc)), root)
}

// merged gives the values of a document that merges the order, and the doubled keys, in which they are written: value was read
// with what is merged, written without.
func merged(value, written any) any {
	switch v := value.(type) {
	case map[any]any:
		w, ok := written.(yaml.MapSlice)
		if !ok {
			return value
		}
		out, seen := make(yaml.MapSlice, 0, len(v)), map[any]bool{}
		for _, item := range w {
			if !hashable(item.Key) {
				return value
			}
			seen[item.Key] = true
			out = append(out, yaml.MapItem{Key: item.Key, Value: merged(v[item.Key], item.Value)})
		}
		rest := make(map[any]any)
		for k, e := range v {
			if !seen[k] {
				rest[k] = e
			}
		}
		for _, k := range sortedKeys(rest) {
			out = append(out, yaml.MapItem{Key: k, Value: rest[k]})
		}
		return out
	case []any:
		w, ok := written.([]any)
		if !ok || len(w) != len(v) {
			return value
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = merged(v[i], w[i])
		}
		return out
	}
	return value
}

func hashable(key any) bool {
	switch key.(type) {
	case string, int, int64, uint64, float64, bool, nil:
		return true
	}
	return false
}

func sortedKeys(m map[any]any) []any {
	keys := make([]any, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return fmt.Sprint(keys[i]) < fmt.Sprint(keys[j]) })
	return keys
}

// errNoMapping is returned for a document that is a list or a bare value.
var errNoMapping = errors.New("a manifest is a mapping with apiVersion, kind, metadata and spec; write a Pod, or move the file out of this folder")

// errList is returned for a document that is a list.
var errList = fmt.Errorf("%w: it is a list", errNoMapping)

// isList tells whether a document is a list, by its first character.
func isList(doc []byte) bool {
	for line := range bytes.Lines(doc) {
		if isMarker(line, "---") {
			line = line[3:]
		}
		if isBlank(line) || line[0] == '%' {
			continue
		}
		text := bytes.TrimSpace(line)
		return text[0] == '[' || text[0] == '-' && (len(text) == 1 || text[1] == ' ' || text[1] == '\t')
	}
	return false
}

// errKey is returned for a key that is itself a mapping or a list.
var errKey = errors.New("a key is not a string")

// yamlRootError explains the only type that yamlToJSON asks for: the mapping at the root.
func yamlRootError(err error) error {
	if _, ok := errors.AsType[*yaml.TypeError](err); ok {
		return errNoMapping
	}
	return err
}

func appendJSON(buf []byte, v any) ([]byte, error) {
	if len(buf) > maxJSON {
		return nil, errExpands
	}
	switch v := v.(type) {
	case yaml.MapSlice:
		return appendItems(buf, v)
	case map[any]any:
		items := make(yaml.MapSlice, 0, len(v))
		for k, e := range v {
			items = append(items, yaml.MapItem{Key: k, Value: e})
		}
		sort.Slice(items, func(i, j int) bool { return fmt.Sprint(items[i].Key) < fmt.Sprint(items[j].Key) })
		return appendItems(buf, items)
	case []any:
		buf = append(buf, '[')
		for i, e := range v {
			if i > 0 {
				buf = append(buf, ',')
			}
			var err error
			if buf, err = appendJSON(buf, e); err != nil {
				return nil, err
			}
		}
		return append(buf, ']'), nil
	case int:
		return strconv.AppendInt(buf, int64(v), 10), nil
	default: // string, bool, nil, float64, int64, uint64, and time.Time for an explicit !!timestamp
		text, err := json.Marshal(v)
		return append(buf, text...), err
	}
}

func appendItems(buf []byte, items yaml.MapSlice) ([]byte, error) {
	buf = append(buf, '{')
	for i, item := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		key, err := jsonKey(item.Key)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		buf = append(append(buf, text...), ':')
		if buf, err = appendJSON(buf, item.Value); err != nil {
			return nil, err
		}
	}
	return append(buf, '}'), nil
}

// jsonKey spells a YAML key as sigs.k8s.io/yaml does: numbers and booleans become strings.
func jsonKey(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case int, int64, uint64, bool:
		return fmt.Sprint(key), nil
	case float64:
		return strconv.FormatFloat(key, 'g', -1, 32), nil
	default:
		return "", errKey
	}
}

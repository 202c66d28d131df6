package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/device"
	"podd/runtime/runtimeclass"
	kjson "sigs.k8s.io/json"

	"podd/runtime/manifest/decode"
)

// wrongValues finds the keys of a file whose values are of another type than podd's. Each value is judged alone: the
// decoder's own words name Go's types.
func wrongValues(m *decode.Mapping) (faults []decode.MappingFault, keys []string, err error) {
	tree, err := m.Tree()
	if err != nil {
		return nil, nil, err
	}
	defaults := reflect.ValueOf(Default())
	eachKey("", defaults, defaults, func(key string, d, _ reflect.Value) {
		at, why := judgeValue(key, tree, d)
		if why != "" && !slices.Contains(keys, at) {
			keys = append(keys, at)
			faults = append(faults, decode.MappingFault{Line: m.Line(at), Text: at + " " + why})
		}
	})
	return faults, keys, nil
}

// judgeValue says what is wrong with the value of a key ("a.b" within "a"), or with that of a key that it is within.
func judgeValue(key string, tree any, d reflect.Value) (at, why string) {
	value := tree
	for part := range strings.SplitSeq(key, ".") {
		m, ok := value.(map[string]any)
		if !ok {
			return at, "must consist of keys and values, not " + spelled(value)
		}
		if value, ok = m[part]; !ok {
			return at, ""
		}
		at = strings.TrimPrefix(at+"."+part, ".")
	}
	if value == nil {
		if d.IsZero() || (d.Kind() == reflect.Slice || d.Kind() == reflect.Map) && d.Len() == 0 {
			return at, ""
		}
		return at, fmt.Sprintf("has no value: write %s: %s, or remove the key", at[strings.LastIndex(at, ".")+1:], written(d))
	}
	data, err := json.Marshal(value)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, reflect.New(d.Type()).Interface())
	}
	if err == nil {
		return at, ""
	}
	return at, fmt.Sprintf("must be %s, not %s", wanted(at, d), unquoted(value, d))
}

// written is a default as one writes it.
func written(d reflect.Value) string {
	if q, ok := d.Interface().(resource.Quantity); ok {
		return q.String()
	}
	return fmt.Sprint(d)
}

// unquoted spells a value, or the one of a map that is no text, with the remedy where only quotes are missing.
func unquoted(value any, d reflect.Value) string {
	if d.Kind() == reflect.Map {
		m, _ := value.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if _, isText := m[k].(string); !isText {
				return strings.Replace(unquoted(m[k], reflect.ValueOf("")), spelled(m[k]), fmt.Sprintf("{%s: %s}", k, spelled(m[k])), 1)
			}
		}
	}
	switch value.(type) {
	case bool, int64, float64:
		if d.Kind() == reflect.String {
			return spelled(value) + " without quotes"
		}
	}
	return spelled(value)
}

// wanted says what a key takes.
func wanted(key string, d reflect.Value) string {
	switch d.Interface().(type) {
	case resource.Quantity:
		return "a size such as 10Mi"
	case metav1.Duration:
		return "a duration such as 1m or 90s"
	case netip.Prefix:
		if strings.HasSuffix(key, "6") {
			return "a network such as fd12:3456:789a::/64"
		}
		return "a network such as 10.210.0.0/22"
	case []netip.Prefix:
		return "a list of networks such as [192.168.0.0/16]"
	case []device.Rule:
		return "a list of rules such as [{resource: example.com/stick, path: /dev/ttyACM*}]"
	case runtimeclass.Handlers:
		return "handlers by their names, such as {nvidia: {cdiDevices: [nvidia.com/gpu=all]}}"
	case []string:
		return "a list such as [a, b]"
	case map[string]string:
		return "names and values such as {site: roof}"
	case map[string]rlimitText:
		return "limits such as {nofile: 1024:524288, core: 0}"
	case bool:
		return "true or false"
	case string:
		return "a text"
	}
	return "a whole number"
}

func spelled(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return "keys and values"
	}
	return fmt.Sprint(value)
}

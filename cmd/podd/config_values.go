package main

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v2"
)

// fault is what is wrong on a line of the file; 0: the line is not known.
type fault struct {
	line int
	what string
}

func (f fault) String() string {
	if f.line == 0 {
		return f.what
	}
	return fmt.Sprintf("line %d: %s", f.line, f.what)
}

// wrongValues finds the keys of a file whose values are of another type than podd's. Each value is judged alone: the
// decoder's own words name Go's types, and not always a line.
func wrongValues(text []byte) []fault {
	var top any
	if yaml.Unmarshal(text, &top) != nil || top == nil {
		return nil
	}
	if _, ok := top.(map[any]any); !ok {
		return []fault{{what: "it must consist of keys and values, such as bridge: podd0"}}
	}
	var faults []fault
	defaults := reflect.ValueOf(defaultConfig())
	eachKey("", defaults, defaults, func(key string, d, _ reflect.Value) {
		if key, why := judgeValue(key, top, d); why != "" {
			if f := (fault{lineOf(text, key), key + " " + why}); !slices.Contains(faults, f) {
				faults = append(faults, f)
			}
		}
	})
	return faults
}

// judgeValue says what is wrong with the value of a key ("a.b" within "a"), or with that of a key that it is within.
func judgeValue(key string, tree any, d reflect.Value) (at, why string) {
	value := tree
	for part := range strings.SplitSeq(key, ".") {
		m, ok := value.(map[any]any)
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
		return at, fmt.Sprintf("has no value: write %s: %v, or remove the key", at[strings.LastIndex(at, ".")+1:], d)
	}
	out := reflect.New(d.Type())
	data, err := yaml.Marshal(value)
	if err == nil {
		err = yaml.UnmarshalStrict(data, out.Interface())
	}
	if err == nil && !misread(value, d) {
		return at, ""
	}
	return at, fmt.Sprintf("must be %s, not %s", wanted(at, d), spelled(value))
}

// misread says whether the decoder takes a value for what nobody means: 60 for as many nanoseconds, 1.5 for 1.
func misread(value any, d reflect.Value) bool {
	if _, ok := d.Interface().(time.Duration); ok {
		_, isText := value.(string)
		return !isText && value != 0
	}
	f, ok := value.(float64)
	return ok && (d.CanInt() || d.CanUint()) && f != math.Trunc(f)
}

// wanted says what a key takes.
func wanted(key string, d reflect.Value) string {
	switch d.Interface().(type) {
	case byteSize:
		return "a size such as 10Mi"
	case time.Duration:
		return "a duration such as 1m or 90s"
	case netip.Prefix:
		if strings.HasSuffix(key, "6") {
			return "a network such as fd12:3456:789a::/64"
		}
		return "a network such as 10.210.0.0/22"
	case []netip.Prefix:
		return "a list of networks such as [192.168.0.0/16]"
	case []string:
		return "a list such as [a, b]"
	case map[string]string:
		return "names and values such as {site: roof}"
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
	case map[any]any:
		return "keys and values"
	}
	return fmt.Sprint(value)
}

// lineOf is the line that a key begins, or else the first that mentions it; 0: there is none.
func lineOf(text []byte, key string) int {
	parts, mentioned := strings.Split(key, "."), 0
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		line, _, _ := strings.Cut(string(lines[i]), " #")
		begins := strings.TrimLeft(line, " ")
		if strings.HasPrefix(begins, parts[0]+":") && (len(parts) < strings.Count(key, ".")+1 || begins == line) {
			if parts = parts[1:]; len(parts) == 0 {
				return i + 1
			}
		}
		if mentioned == 0 && len(parts) == 1 && strings.Contains(line, parts[0]+":") && !strings.HasPrefix(begins, "#") {
			mentioned = i + 1
		}
	}
	return mentioned
}

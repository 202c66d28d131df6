package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// decode reads the text of a configuration file over what c has. A key that it does not know, one given twice and a value of
// another type are errors that name the line and the key.
func (c *Config) decode(text []byte) error {
	err := yaml.UnmarshalStrict(text, c)
	faults := wrongValues(text)
	if t := (*yaml.TypeError)(nil); errors.As(err, &t) {
		for _, e := range t.Errors {
			if f, ok := wrongKey(e); ok {
				faults = append(faults, f)
			}
		}
	}
	switch {
	case len(faults) > 0:
		slices.SortStableFunc(faults, func(a, b fault) int { return a.line - b.line })
		said := make([]string, len(faults))
		for i, f := range faults {
			said[i] = f.String()
		}
		return errors.New(strings.Join(said, "; "))
	case err != nil:
		return errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	return nil
}

// wrongKey turns the decoder's "line 3: field x not found in type main.Config" into the user's words.
func wrongKey(e string) (fault, bool) {
	line, what, ok := strings.Cut(e, ": field ")
	if !ok {
		return fault{}, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(line, "line "))
	if err != nil {
		return fault{}, false
	}
	if key, _, ok := strings.Cut(what, " not found in type "); ok {
		return fault{n, fmt.Sprintf("unknown key %q", key)}, true
	}
	key, _, ok := strings.Cut(what, " already set in type ")
	return fault{n, fmt.Sprintf("key %q is given twice", key)}, ok
}

// byteSize is a number of bytes, written as a Kubernetes quantity: 10Mi.
type byteSize int64

// UnmarshalYAML takes a quantity or a plain number.
func (b *byteSize) UnmarshalYAML(unmarshal func(any) error) error {
	var s string
	if err := unmarshal(&s); err != nil {
		return err
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("%q is not a size: %v", s, err)}} // the decoder goes on to the next key
	}
	*b = byteSize(q.Value())
	return nil
}

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// decode reads the text of a configuration file over what c has. A key that it does not know, or one given twice,
// is an error that names the line and the key.
func (c *Config) decode(text []byte) error {
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		return errors.New(yamlSentence(err, text))
	}
	return nil
}

// yamlSentence makes one sentence of the decoder's list of lines.
func yamlSentence(err error, data []byte) string {
	var t *yaml.TypeError
	if !errors.As(err, &t) {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	said := make([]string, len(t.Errors))
	for i, e := range t.Errors {
		said[i] = yamlWords(e, data)
	}
	return strings.Join(said, "; ")
}

// yamlWords turns "line 3: field x not found in type main.Config" into the user's words.
func yamlWords(e string, data []byte) string {
	line, what, ok := strings.Cut(e, ": ")
	if !ok {
		return e
	}
	if key, _, ok := strings.Cut(strings.TrimPrefix(what, "field "), " not found in type "); ok {
		return fmt.Sprintf("%s: unknown key %q", line, key)
	}
	if key, _, ok := strings.Cut(strings.TrimPrefix(what, "field "), " already set in type "); ok {
		return fmt.Sprintf("%s: key %q is given twice", line, key)
	}
	if key := keyAt(data, line); key != "" {
		return line + ": " + key + ": " + what
	}
	return line + ": " + what
}

// keyAt is the key that a line of the file begins with, or "". The decoder names lines ("line 3") but no keys.
func keyAt(data []byte, line string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(line, "line "))
	lines := strings.Split(string(data), "\n")
	if err != nil || n < 1 || n > len(lines) {
		return ""
	}
	key, _, ok := strings.Cut(strings.TrimSpace(lines[n-1]), ":")
	if !ok || strings.ContainsAny(key, " {[\"'#") {
		return ""
	}
	return key
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
		return badSize(s, unmarshal(&map[string]string{}))
	}
	*b = byteSize(q.Value())
	return nil
}

// badSize is the error about s, on the line of a decoding of the same value that cannot succeed: the decoder tells
// the line in no other way.
func badSize(s string, failed error) error {
	why := fmt.Sprintf("%q is not a size; write 10Mi", s)
	var t *yaml.TypeError
	if !errors.As(failed, &t) {
		return errors.New(why)
	}
	line, _, _ := strings.Cut(t.Errors[0], ":")
	return &yaml.TypeError{Errors: []string{line + ": " + why}}
}

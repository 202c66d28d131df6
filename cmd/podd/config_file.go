package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// loadConfig reads a configuration file over the defaults. A key that it does not know, or
// one given twice, is an error that names the file, the line and the key.
func loadConfig(path string) (Config, error) {
	c := defaultConfig()
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return defaultConfig(), fmt.Errorf("cannot use the configuration %s: %s", path, yamlSentence(err))
	}
	return c, nil
}

// yamlSentence makes one sentence of the decoder's list of lines.
func yamlSentence(err error) string {
	var t *yaml.TypeError
	if !errors.As(err, &t) {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	said := make([]string, len(t.Errors))
	for i, e := range t.Errors {
		said[i] = yamlWords(e)
	}
	return strings.Join(said, "; ")
}

// yamlWords turns "line 3: field x not found in type main.Config" into the user's words.
func yamlWords(e string) string {
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
	return line + ": " + what
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
		return fmt.Errorf("%q is not a size as 10Mi", s)
	}
	*b = byteSize(q.Value())
	return nil
}

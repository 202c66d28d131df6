package printers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
)

// Object prints objects as JSON or YAML; several as one List.
type Object struct {
	Out    io.Writer
	YAML   bool
	Single bool // exactly one was asked for by name
	Stream bool // a watch: each object for itself

	items   []any
	printed bool
}

func (o *Object) Accept() string { return client.AcceptObject }

// Print takes in an object or the items of a list.
func (o *Object) Print(answer []byte) (int, error) {
	items, err := decodeItems(answer)
	o.items = append(o.items, items...)
	return len(items), err
}

// decodeItems returns the items of a list, or the one object. Items of a typed list do not
// say what they are; the list does.
func decodeItems(answer []byte) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	kind, isList := strings.CutSuffix(fmt.Sprint(m["kind"]), "List")
	items, ok := m["items"].([]any)
	if !isList || !ok {
		return []any{m}, nil
	}
	for _, i := range items {
		if item, ok := i.(map[string]any); ok {
			item["kind"], item["apiVersion"] = kind, m["apiVersion"]
		}
	}
	return items, nil
}

func (o *Object) Flush() error {
	items := o.items
	o.items = nil
	if o.Single && len(items) == 1 {
		return o.write(items[0])
	}
	if !o.Stream {
		return o.write(map[string]any{
			"kind": "List", "apiVersion": "v1",
			"metadata": map[string]any{"resourceVersion": ""},
			"items":    append([]any{}, items...),
		})
	}
	for _, i := range items {
		if err := o.write(i); err != nil {
			return err
		}
	}
	return nil
}

// MarshalYAML spells control characters: those that the encoder of JSON lets through, too, which YAML may not hold as they
// are, and overrides of the writing direction, which it may.
func MarshalYAML(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return escape.YAML(b, yaml.JSONToYAML)
}

func (o *Object) write(v any) error {
	var b []byte
	var err error
	if o.YAML {
		b, err = MarshalYAML(v)
		if o.printed {
			b = append([]byte("---\n"), b...)
		}
		o.printed = true
	} else {
		b, err = json.MarshalIndent(v, "", "    ")
		b = append(b, '\n')
	}
	if err != nil {
		return fmt.Errorf("cannot print the object: %w", err)
	}
	_, err = o.Out.Write(b)
	return err
}

// Name prints "pod/web".
type Name struct {
	Out  io.Writer
	Kind string
}

func (n *Name) Accept() string { return client.AcceptObject }

func (n *Name) Print(answer []byte) (int, error) {
	items, err := decodeItems(answer)
	if err != nil {
		return 0, err
	}
	for _, i := range items {
		item, _ := i.(map[string]any)
		meta, _ := item["metadata"].(map[string]any)
		if _, err := fmt.Fprintf(n.Out, "%s/%v\n", n.Kind, meta["name"]); err != nil {
			return 0, err
		}
	}
	return len(items), nil
}

func (n *Name) Flush() error { return nil }

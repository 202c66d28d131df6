package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// objectType is a kind of object that get and describe know.
type objectType struct {
	plural, singular string
	short            []string
	namespaced       bool
}

func resources() []objectType {
	return []objectType{
		{"pods", "pod", []string{"po"}, true},
		{"events", "event", []string{"ev"}, true},
		{"nodes", "node", []string{"no"}, false},
		{"namespaces", "namespace", []string{"ns"}, false},
	}
}

// parseResource accepts the names that kubectl accepts.
func parseResource(s string) (objectType, error) {
	for _, r := range resources() {
		if s == r.plural || s == r.singular || s == r.short[0] {
			return r, nil
		}
	}
	return objectType{}, fmt.Errorf("podd has no resource type %q: it has pods, events, nodes and namespaces", s)
}

// parseTarget reads "pods", "pods NAME…" or "pod/NAME…".
func parseTarget(args []string) (objectType, []string, error) {
	if !strings.Contains(args[0], "/") {
		r, err := parseResource(args[0])
		return r, args[1:], err
	}
	var r objectType
	var names []string
	for i, a := range args {
		kind, name, ok := strings.Cut(a, "/")
		if !ok || name == "" {
			return r, nil, fmt.Errorf("%q is not of the form TYPE/NAME, as the arguments before it", a)
		}
		one, err := parseResource(kind)
		if err != nil {
			return r, nil, err
		}
		if i > 0 && one.plural != r.plural {
			return r, nil, fmt.Errorf("cannot show %s and %s at once", r.plural, one.plural)
		}
		r, names = one, append(names, name)
	}
	return r, names, nil
}

// podName reads "NAME" or "pod/NAME".
func podName(arg string) (string, error) {
	kind, name, ok := strings.Cut(arg, "/")
	if !ok {
		return arg, nil
	}
	if r, err := parseResource(kind); err != nil || r.plural != "pods" {
		return "", fmt.Errorf("%q is not a pod", arg)
	}
	return name, nil
}

// path of a list of r, or of the object name. namespace "" means all.
func (r *objectType) path(namespace, name string) string {
	p := "/api/v1"
	if r.namespaced && namespace != "" {
		p += "/namespaces/" + url.PathEscape(namespace)
	}
	p += "/" + r.plural
	if name != "" {
		p += "/" + url.PathEscape(name)
	}
	return p
}

// addNamespace adds -n.
func addNamespace(cmd *cobra.Command, namespace *string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", "default", "namespace of the pods")
}

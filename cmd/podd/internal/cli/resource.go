package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli/discovery"
	"podd/cmd/podd/internal/cli/rollout"
	"podd/cmd/podd/internal/client"
	"podd/runtime/api/kinds"
)

// objectType is a kind of object that get and describe know.
type objectType struct {
	plural, singular string
	short            []string
	namespaced       bool
	root             string // of its paths
	group            string // "" for v1
	all              bool   // get all shows it
	kind             string // as in objects
	stored           bool   // podd does not act on it
}

func resources() []objectType {
	const core = "/api/v1/"
	list := []objectType{
		{"pods", "pod", []string{"po"}, true, core, "", true, "Pod", false},
		{"events", "event", []string{"ev"}, true, core, "", false, "Event", false},
		{"nodes", "node", []string{"no"}, false, core, "", false, "Node", false},
		{"namespaces", "namespace", []string{"ns"}, false, core, "", false, "Namespace", false},
	}
	for _, r := range kinds.Resources() {
		list = append(list, objectType{r.Plural, r.Singular, r.Short, r.Namespaced, r.Root, r.Group, r.All, r.Kind, false})
	}
	return list
}

// is accepts the names that kubectl accepts.
func (t *objectType) is(s string) bool {
	_, version, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(t.root, "/apis/"), "/"), "/")
	return s == t.plural || s == t.singular || slices.Contains(t.short, s) ||
		t.group != "" && slices.Contains([]string{t.plural + "." + t.group, t.singular + "." + t.group, t.plural + "." + version + "." + t.group}, s)
}

// parser reads the name of a kind: of one that podd knows, or of one that the daemon stores.
type parser func(s string) (objectType, error)

// askingParser asks the daemon about kinds that podd does not know.
func askingParser(ctx context.Context, c *client.Client) parser {
	var stored []objectType
	return func(s string) (objectType, error) {
		t, err := parseResource(s)
		if err == nil {
			return t, nil
		}
		if stored == nil {
			if stored, err = storedTypes(ctx, c); err != nil {
				return t, err
			}
		}
		for _, t := range stored {
			if t.is(s) {
				return t, nil
			}
		}
		return parseResource(s)
	}
}

// storedTypes are the kinds that the daemon stores and does not act on.
func storedTypes(ctx context.Context, c *client.Client) ([]objectType, error) {
	all, err := discovery.Resources(ctx, c)
	var list []objectType
	for i := range all {
		if r := &all[i]; r.IsStored() {
			list = append(list, objectType{r.Name, r.SingularName, r.ShortNames, r.Namespaced, r.Root(), r.GroupName(), false, r.Kind, true})
		}
	}
	return list, err
}

// parseResource reads the name of a kind that podd knows.
func parseResource(s string) (objectType, error) {
	var known []string
	for _, r := range resources() {
		if r.is(s) {
			return r, nil
		}
		known = append(known, r.plural)
	}
	last := len(known) - 1
	return objectType{}, fmt.Errorf("podd has no resource type %q: it has %s and %s, and what podd api-resources lists", s, strings.Join(known[:last], ", "), known[last])
}

// parseTarget reads "pods", "pods NAME…" or "pod/NAME…".
func parseTarget(args []string) (objectType, []string, error) {
	return parser(parseResource).target(args)
}

func (parse parser) target(args []string) (objectType, []string, error) {
	if !strings.Contains(args[0], "/") {
		r, err := parse(args[0])
		return r, args[1:], err
	}
	var r objectType
	var names []string
	for i, a := range args {
		kind, name, ok := strings.Cut(a, "/")
		if !ok || name == "" {
			return r, nil, fmt.Errorf("%q is not of the form TYPE/NAME, as the arguments before it", a)
		}
		one, err := parse(kind)
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

// full is the name of an object with its type, as in deployment.apps/web.
func (t *objectType) full(name string) string {
	if t.group == "" {
		return t.singular + "/" + name
	}
	return t.singular + "." + t.group + "/" + name
}

func rolloutType(t objectType) rollout.Type {
	return rollout.Type{Kind: t.kind, Plural: t.plural, Group: t.group, Path: t.path, Full: t.full}
}

func rolloutOptions(o *options) *rollout.Options {
	return &rollout.Options{
		Client: o.client, Complete: completeGet(o), Output: formatOutput,
		Parse: func(ctx context.Context, args []string) (list []rollout.Target, err error) {
			targets, err := askingParser(ctx, o.client()).targets(args)
			for _, t := range targets {
				list = append(list, rollout.Target{Of: rolloutType(t.of), Names: t.names})
			}
			return list, err
		},
		Read: func(stdin io.Reader, path string) (list []rollout.Named, err error) {
			objects, problems, err := readObjects(stdin, path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("the path %q does not exist", path)
			}
			if err != nil {
				return nil, err
			}
			var errs []error
			for i := range problems {
				errs = append(errs, errors.New(problems[i].Message))
			}
			all := resources()
			for i := range objects {
				o := &objects[i]
				if at := slices.IndexFunc(all, func(r objectType) bool { return r.kind == o.Kind }); at >= 0 {
					list = append(list, rollout.Named{Of: rolloutType(all[at]), Namespace: o.Namespace, Name: o.Name})
				}
			}
			return list, errors.Join(errs...)
		},
	}
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
	p := r.root
	if r.namespaced && namespace != "" {
		p += "namespaces/" + url.PathEscape(namespace) + "/"
	}
	p += r.plural
	if name != "" {
		p += "/" + url.PathEscape(name)
	}
	return p
}

// addNamespace adds -n.
func addNamespace(cmd *cobra.Command, namespace *string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", "default", "namespace of the pods")
}

// named refuses a command line that lacks an argument by this sentence, and others as n does.
func named(sentence string, n cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := n(cmd, args)
		if len(args) == 0 || err != nil && n(cmd, append(slices.Clone(args), "")) == nil { // one more would do
			return errors.New(sentence)
		}
		return err
	}
}

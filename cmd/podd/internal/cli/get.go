package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"podd/cmd/podd/internal/cli/discovery"
	"podd/cmd/podd/internal/cli/printers"
)

// get is one `podd get`.
type get struct {
	*options
	namespace  string
	all        bool
	output     string
	watch      bool
	selector   string
	fields     string
	showLabels bool
	noHeaders  bool
	list       *printers.Object // of several types, which prints all at the end
	kinds      bool             // names are shown with their kinds

	out, errOut io.Writer
}

func newGetCommand(o *options) *cobra.Command {
	g := &get{options: o}
	cmd := &cobra.Command{
		Use:     "get (pods|events|nodes|configmaps|secrets|...) [NAME...]",
		Short:   "Show pods, events, the node and what else the folder holds, as kubectl does",
		Example: "  podd get pods -o wide\n  podd get deployments,services -A\n  podd get pod web -o yaml\n  podd get events -w",
		Args:    named("name what to get: pods, events, nodes or namespaces", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			g.out, g.errOut = formatOutput(cmd, g.output), cmd.ErrOrStderr()
			return g.run(cmd.Context(), args)
		},
		ValidArgsFunction: completeGet(o),
	}
	addNamespace(cmd, &g.namespace)
	f := cmd.Flags()
	f.BoolVarP(&g.all, "all-namespaces", "A", false, "show all namespaces")
	f.StringVarP(&g.output, "output", "o", "", "wide, yaml, json or name")
	f.BoolVarP(&g.watch, "watch", "w", false, "go on showing changes")
	f.StringVarP(&g.selector, "selector", "l", "", "labels to select by, as app=web,tier!=back")
	f.StringVar(&g.fields, "field-selector", "", "fields to select by, as status.phase=Running")
	f.BoolVar(&g.showLabels, "show-labels", false, "show labels as the last column")
	f.BoolVar(&g.noHeaders, "no-headers", false, "leave the headers out")
	mustComplete(cmd, "output", completeWords("wide", "yaml", "json", "name"))
	return cmd
}

func (g *get) run(ctx context.Context, args []string) error {
	if formats := []string{"", "wide", "yaml", "json", "name"}; !slices.Contains(formats, g.output) {
		return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json,name,wide,yaml", g.output)
	}
	if args[0] == "all" || args[0] == discovery.Stored {
		return g.everything(ctx, args[0], args[1:])
	}
	targets, err := askingParser(ctx, g.client()).targets(args)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return g.several(ctx, targets)
	}
	return g.one(ctx, &targets[0].of, targets[0].names)
}

// one shows objects of one type.
func (g *get) one(ctx context.Context, r *objectType, names []string) error {
	if err := g.checkNames(names); err != nil {
		return err
	}
	if g.all {
		g.namespace = ""
	}
	p := g.printer(r, len(names) == 1)
	if g.watch {
		return g.follow(ctx, r, names, p)
	}
	return g.once(ctx, r, names, p)
}

// checkNames refuses what does not go with names.
func (g *get) checkNames(names []string) error {
	switch {
	case len(names) > 0 && g.all:
		return errors.New("a resource cannot be retrieved by name across all namespaces")
	case len(names) > 0 && g.selector != "":
		return errors.New("name cannot be provided when a selector is specified")
	case len(names) > 1 && g.watch:
		return errors.New("watch is only supported on individual resources and resource collections")
	}
	return nil
}

// target is objects of one type, all or those of these names.
type target struct {
	of    objectType
	names []string
}

// parseTargets reads "pods,services", either with names, or "pod/NAME service/NAME…".
func (parse parser) targets(args []string) ([]target, error) {
	var list []target
	if !strings.Contains(args[0], "/") {
		for _, kind := range strings.Split(args[0], ",") {
			r, err := parse(kind)
			if err != nil {
				return nil, err
			}
			list = append(list, target{r, args[1:]})
		}
		return list, nil
	}
	for _, arg := range args {
		r, names, err := parse.target([]string{arg})
		if err != nil {
			return nil, err
		}
		if last := len(list) - 1; last >= 0 && list[last].of.plural == r.plural {
			list[last].names = append(list[last].names, names...)
			continue
		}
		list = append(list, target{r, names})
	}
	return list, nil
}

// several shows several types: one list of all, or tables one after another, with the kinds before the names.
func (g *get) several(ctx context.Context, targets []target) error {
	if g.watch {
		return errors.New("you may only specify a single resource type with -w")
	}
	if g.all {
		g.namespace = ""
	}
	var errs []error
	if g.output == "yaml" || g.output == "json" {
		one := *g
		one.list = &printers.Object{Out: g.out, YAML: g.output == "yaml"}
		for _, t := range targets {
			errs = append(errs, one.one(ctx, &t.of, t.names))
		}
		return errors.Join(append([]error{one.list.Flush()}, errs...)...)
	}
	shown := false
	for _, t := range targets {
		var found strings.Builder
		one := *g
		one.out, one.errOut, one.kinds = &found, io.Discard, true
		errs = append(errs, one.one(ctx, &t.of, t.names))
		if found.Len() == 0 {
			continue
		}
		if shown && (g.output == "" || g.output == "wide") {
			fmt.Fprintln(g.out)
		}
		shown = true
		fmt.Fprint(g.out, found.String())
	}
	err := errors.Join(errs...)
	if !shown && err == nil && g.output != "name" {
		g.printNone(&objectType{namespaced: true})
	}
	return err
}

// everything shows pods, Services and workloads, those that there are, or what is stored and not acted on.
func (g *get) everything(ctx context.Context, category string, names []string) error {
	if len(names) > 0 {
		return errors.New("name a kind to get something by its name")
	}
	types := resources()
	if category == discovery.Stored {
		var err error
		if types, err = storedTypes(ctx, g.client()); err != nil {
			return err
		}
	}
	var targets []target
	for _, r := range types {
		if r.all || category == discovery.Stored {
			targets = append(targets, target{of: r})
		}
	}
	return g.several(ctx, targets)
}

// held is a printer of which another says when all is there.
type held struct{ printers.Printer }

func (held) Flush() error { return nil }

func (g *get) printer(r *objectType, single bool) printers.Printer {
	if g.list != nil {
		return held{g.list}
	}
	switch g.output {
	case "", "wide":
		kind := ""
		if g.kinds {
			kind = strings.TrimSuffix(r.full(""), "/")
		}
		return &printers.Table{
			Kind: kind, Out: g.out, Namespaces: g.all && r.namespaced, Wide: g.output == "wide",
			Labels: g.showLabels, Headers: !g.noHeaders, Steady: g.watch,
		}
	case "name":
		kind := r.singular
		if r.group != "" {
			kind += "." + r.group
		}
		return &printers.Name{Out: g.out, Kind: kind}
	}
	return &printers.Object{Out: g.out, YAML: g.output == "yaml", Single: single, Stream: g.watch}
}

// once prints a list, or the objects that were named; those that are missing make errors.
func (g *get) once(ctx context.Context, r *objectType, names []string, p printers.Printer) error {
	if len(names) == 0 {
		b, err := g.fetch(ctx, r.path(g.namespace, ""), g.query(nil), p)
		if err != nil {
			return err
		}
		n, err := p.Print(b)
		if err != nil {
			return err
		}
		if n == 0 && (g.output == "" || g.output == "wide") {
			g.printNone(r)
			return nil
		}
		return p.Flush()
	}
	var errs []error
	for _, name := range names {
		b, err := g.fetch(ctx, r.path(g.namespace, name), nil, p)
		if err == nil {
			_, err = p.Print(b)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) < len(names) {
		errs = append([]error{p.Flush()}, errs...)
	}
	return errors.Join(errs...)
}

func (g *get) printNone(r *objectType) {
	if g.namespace == "" || !r.namespaced {
		fmt.Fprintln(g.errOut, "No resources found")
		return
	}
	fmt.Fprintf(g.errOut, "No resources found in %s namespace.\n", g.namespace)
}

func (g *get) fetch(ctx context.Context, path string, q url.Values, p printers.Printer) ([]byte, error) {
	resp, err := g.client().Get(ctx, path, q, p.Accept())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the daemon's answer: %w", err)
	}
	return b, nil
}

func (g *get) query(names []string) url.Values {
	q := url.Values{}
	if g.selector != "" {
		q.Set("labelSelector", g.selector)
	}
	fields := g.fields
	if len(names) == 1 {
		fields = metav1.ObjectNameField + "=" + names[0]
	}
	if fields != "" {
		q.Set("fieldSelector", fields)
	}
	return q
}

// follow prints what is there and then each change, until it is interrupted.
func (g *get) follow(ctx context.Context, r *objectType, names []string, p printers.Printer) error {
	q := g.query(names)
	if len(names) == 1 {
		// One that does not exist is an error, as without -w.
		if _, err := g.fetch(ctx, r.path(g.namespace, names[0]), nil, p); err != nil {
			return err
		}
	}
	b, err := g.fetch(ctx, r.path(g.namespace, ""), q, p)
	if err != nil {
		return err
	}
	var list metav1.List
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	if _, err := p.Print(b); err != nil {
		return err
	}
	if err := p.Flush(); err != nil {
		return err
	}
	q.Set("watch", "true")
	q.Set("resourceVersion", list.ResourceVersion)
	resp, err := g.client().Get(ctx, r.path(g.namespace, ""), q, p.Accept())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return g.printChanges(ctx, resp.Body, p)
}

func (g *get) printChanges(ctx context.Context, body io.Reader, p printers.Printer) error {
	dec := json.NewDecoder(body)
	for {
		var e struct {
			Type   watch.EventType `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		err := dec.Decode(&e)
		switch {
		case ctx.Err() != nil:
			return context.Canceled
		case errors.Is(err, io.EOF):
			return errors.New("the daemon has ended the watch")
		case err != nil:
			return fmt.Errorf("cannot read the daemon's changes: %w", err)
		case e.Type == watch.Bookmark:
			continue
		case e.Type == watch.Error:
			var s metav1.Status
			if err := json.Unmarshal(e.Object, &s); err != nil {
				return fmt.Errorf("cannot understand the daemon's answer: %w", err)
			}
			return &apierrors.StatusError{ErrStatus: s}
		}
		if _, err := p.Print(e.Object); err != nil {
			return err
		}
		if err := p.Flush(); err != nil {
			return err
		}
	}
}

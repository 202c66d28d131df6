// Package rollout has the commands about the versions and the size of workloads: rollout and scale. Words, order and exit codes
// are kubectl's.
package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/client"
)

// Options are what the commands share with all others.
type Options struct {
	Client   func() *client.Client
	Complete func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) // a kind, then names
	// Parse reads the arguments that name objects.
	Parse func(ctx context.Context, args []string) ([]Target, error)
	// Read returns the objects of a file, a folder, or stdin, which is "-".
	Read func(stdin io.Reader, path string) ([]Named, error)
	// Output is stdout for a format of -o.
	Output func(cmd *cobra.Command, format string) io.Writer
}

// Type is a kind of object.
type Type struct {
	Kind, Plural, Group string
	Path                func(namespace, name string) string // of an object, or of a list
	Full                func(name string) string            // as in deployment.apps/web
}

// Target is objects of one type: those of these names, or all.
type Target struct {
	Of    Type
	Names []string
}

// Named is an object that a file names.
type Named struct {
	Of              Type
	Namespace, Name string
}

// groupKind is how kubectl calls a kind in its errors.
func (t *Type) groupKind() string {
	if t.Group == "" {
		return t.Kind
	}
	return t.Kind + "." + t.Group
}

// resource is the plural with its group, as in deployments.apps.
func (t *Type) resource() string {
	if t.Group == "" {
		return t.Plural
	}
	return t.Plural + "." + t.Group
}

// object is one that a command is about, as the daemon shows it.
type object struct {
	of              Type
	namespace, name string
	data            json.RawMessage
}

func (o *object) path() string { return o.of.Path(o.namespace, o.name) }

// command is what all of these commands have.
type command struct {
	*Options
	namespace string
	files     []string
	selector  string
	all       bool // a kind without names is all of them
	sayNone   bool // if it is none, that is said
	output    string
	dryRun    string

	out, shown, errOut io.Writer // shown: for -o
	in                 io.Reader
}

// Commands are podd rollout and podd scale.
func Commands(o *Options) []*cobra.Command { return []*cobra.Command{newRollout(o), newScale(o)} }

func newRollout(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "rollout (status|history|undo|restart|pause|resume) KIND/NAME",
		Short:   "Follow, undo or restart the rollout of a Deployment, StatefulSet or DaemonSet",
		Example: "  podd rollout status deployment/front\n  podd rollout undo deployment/front --to-revision=2",
	}
	cmd.AddCommand(newStatus(o), newHistory(o), newUndo(o), newRestart(o), newPause(o, true), newPause(o, false))
	return cmd
}

// subcommand makes a command of podd rollout about objects, which run takes.
func subcommand(o *Options, use, short string, run func(ctx context.Context, c *command, objects []object) error) (*cobra.Command, *command) {
	c := &command{Options: o, all: true}
	cmd := &cobra.Command{
		Use: use + " KIND/NAME...", Short: short, Example: "  podd rollout " + use + " deployment/front",
		RunE: func(cmd *cobra.Command, args []string) error {
			objects, err := c.find(cmd, args, "podd rollout "+use+" deployment/NAME")
			if len(objects) == 0 {
				if err == nil && c.sayNone {
					c.none()
				}
				return err
			}
			return errors.Join(err, run(cmd.Context(), c, objects))
		},
		ValidArgsFunction: o.Complete,
	}
	c.addFlags(cmd)
	return cmd, c
}

func (c *command) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&c.namespace, "namespace", "n", "default", "namespace of the objects")
	f.StringArrayVarP(&c.files, "filename", "f", nil, "file or folder of manifests that name the objects, or - for stdin")
	f.StringVarP(&c.selector, "selector", "l", "", "labels to select by, as app=web,tier!=back")
}

func (c *command) addOutput(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.output, "output", "o", "", "json, yaml or name")
	complete(cmd, "output", "json", "yaml", "name")
}

func (c *command) addDryRun(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.dryRun, "dry-run", "none", "none, client or server: say what would be done, and do nothing")
	complete(cmd, "dry-run", "none", "client", "server")
}

func complete(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag: a bug here
	}
}

const (
	dryClient = "client"
	dryServer = "server"
)

// find checks the flags, and returns the objects that a command line names. There may be some although others could not be had.
func (c *command) find(cmd *cobra.Command, args []string, example string) ([]object, error) {
	c.in, c.out, c.errOut = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	c.shown = c.Output(cmd, c.output)
	switch {
	case !slices.Contains([]string{"", "none", dryClient, dryServer}, c.dryRun):
		//lint:ignore ST1005 kubectl's words
		return nil, fmt.Errorf(`Invalid dry-run value (%v). Must be "none", "server", or "client".`, c.dryRun)
	case !slices.Contains([]string{"", "json", "yaml", "name"}, c.output):
		return nil, fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json,name,yaml", c.output)
	case len(args) == 0 && len(c.files) == 0:
		return nil, errors.New("required resource not specified: name a workload, as in " + example)
	case len(args) > 0 && len(c.files) > 0:
		return nil, errors.New("when paths, URLs, or stdin is provided as resource input, you may not specify resource arguments as well")
	case len(c.files) > 0:
		return c.ofFiles(cmd.Context())
	}
	if strings.Contains(args[0], "/") && (c.selector != "" || cmd.Flags().Changed("all")) {
		return nil, errors.New("selectors and the all flag cannot be used when passing resource/name arguments")
	}
	targets, err := c.Parse(cmd.Context(), args)
	if err != nil {
		return nil, err
	}
	var list []object
	var errs []error
	for _, t := range targets {
		found, err := c.ofTarget(cmd.Context(), &t)
		list, errs = append(list, found...), append(errs, err)
	}
	return list, errors.Join(errs...)
}

// ofFiles are the objects that files name, in the order of the files.
func (c *command) ofFiles(ctx context.Context) ([]object, error) {
	var list []object
	var errs []error
	for _, path := range c.files {
		named, err := c.Read(c.in, path)
		errs = append(errs, err)
		for _, n := range named {
			o := object{of: n.Of, namespace: n.Namespace, name: n.Name}
			if err := c.look(ctx, &o); err != nil {
				errs = append(errs, err)
				continue
			}
			list = append(list, o)
		}
	}
	return list, errors.Join(errs...)
}

func (c *command) ofTarget(ctx context.Context, t *Target) (list []object, err error) {
	switch {
	case len(t.Names) > 0 && c.selector != "":
		return nil, errors.New("name cannot be provided when a selector is specified")
	case len(t.Names) == 0 && c.selector == "" && !c.all:
		return nil, errors.New("resource(s) were provided, but no name was specified")
	case len(t.Names) == 0:
		return c.ofSelector(ctx, t)
	}
	var errs []error
	for _, name := range t.Names {
		o := object{of: t.Of, namespace: c.namespace, name: name}
		if err := c.look(ctx, &o); err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, o)
	}
	return list, errors.Join(errs...)
}

// ofSelector are all objects of a type in the namespace that have the labels.
func (c *command) ofSelector(ctx context.Context, t *Target) (list []object, err error) {
	q := url.Values{}
	if c.selector != "" {
		q.Set("labelSelector", c.selector)
	}
	var items struct {
		APIVersion string `json:"apiVersion"`
		Items      []map[string]json.RawMessage
	}
	if err := c.Client().Object(ctx, t.Of.Path(c.namespace, ""), q, client.AcceptObject, &items); err != nil {
		return nil, err
	}
	for _, item := range items.Items {
		var meta metav1.ObjectMeta
		if err := json.Unmarshal(item["metadata"], &meta); err != nil {
			return nil, fmt.Errorf("cannot understand the daemon's answer: %w", err)
		}
		// Items of a typed list do not say what they are; the list does.
		item["kind"], _ = json.Marshal(t.Of.Kind)
		item["apiVersion"], _ = json.Marshal(items.APIVersion)
		data, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		list = append(list, object{of: t.Of, namespace: c.namespace, name: meta.Name, data: data})
	}
	return list, nil
}

// look asks for an object as it is now.
func (c *command) look(ctx context.Context, o *object) error {
	return c.Client().Object(ctx, o.path(), nil, client.AcceptObject, &o.data)
}

// none says that a kind has no objects here, in kubectl's words.
func (c *command) none() {
	fmt.Fprintf(c.errOut, "No resources found in %s namespace.\n", c.namespace)
}

// say prints what was done with an object, or the object if a format was asked for.
func (c *command) say(ctx context.Context, o *object, done string) error {
	switch c.output {
	case "name":
		_, err := fmt.Fprintln(c.out, o.of.Full(o.name))
		return err
	case "":
		_, err := fmt.Fprintf(c.out, "%s %s\n", o.of.Full(o.name), done+c.dry())
		return err
	}
	if c.dry() == "" {
		if err := c.look(ctx, o); err != nil {
			return err
		}
	}
	return c.print(o.data)
}

// dry is what is added to what would be done.
func (c *command) dry() string {
	return map[string]string{dryClient: " (dry run)", dryServer: " (server dry run)"}[c.dryRun]
}

// query asks the daemon not to do what it is asked for.
func (c *command) query() url.Values {
	if c.dryRun == dryServer {
		return url.Values{"dryRun": {metav1.DryRunAll}}
	}
	return nil
}

func (c *command) print(data []byte) error {
	p := &printers.Object{Out: c.shown, YAML: c.output == "yaml", Single: true}
	if _, err := p.Print(data); err != nil {
		return err
	}
	return p.Flush()
}

// each does something with every object; what goes wrong with one does not keep it from the others.
func each(objects []object, do func(o *object) error) error {
	var errs []error
	for i := range objects {
		errs = append(errs, do(&objects[i]))
	}
	return errors.Join(errs...)
}

// unsupported is kubectl's error about a verb that a kind has not.
func unsupported(o *object, sentence string) error {
	return fmt.Errorf("%s %q %s", o.of.resource(), o.name, sentence)
}

// Restart gives all pods of a workload successors, and says so.
func Restart(ctx context.Context, c *client.Client, out io.Writer, t *Type, namespace, name string) error {
	if err := post(ctx, c, t, namespace, name, "restart", nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s restarted\n", t.Full(name))
	return err
}

// post asks the daemon to do something with a workload that the API of Kubernetes has no verb for.
func post(ctx context.Context, c *client.Client, t *Type, namespace, name, verb string, q url.Values) error {
	path := "/podd/v1/namespaces/" + namespace + "/" + t.Plural + "/" + name + "/" + verb
	resp, err := c.Do(ctx, http.MethodPost, path, q, client.AcceptObject, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// has says whether a kind is one of these.
func (t *Type) has(kinds ...string) bool {
	return t.Group == "apps" && slices.Contains(kinds, t.Kind)
}

// String is how errors call an object.
func (o *object) String() string { return fmt.Sprintf("%s %q", strings.ToLower(o.of.Kind), o.name) }

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
	"podd/internal/semver"
	"podd/runtime/api"
)

func newVersionCommand(o *options, version string) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of this program and of the daemon",
		Example: "  podd version --client",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "Client: podd %s %s/%s %s\n", semver.Of(version), runtime.GOOS, runtime.GOARCH, runtime.Version())
			if clientOnly {
				return nil
			}
			node, err := theNode(cmd.Context(), o.client())
			var none *client.NoDaemonError
			switch {
			case errors.As(err, &none):
				fmt.Fprintf(out, "Server: none answers on %s\n", o.socket)
				return nil
			case err != nil:
				return err
			}
			fmt.Fprintf(out, "Server: podd %s on %s\n", escape.Line(serverVersion(node)), o.socket)
			return nil
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "do not ask the daemon")
	return cmd
}

func serverVersion(n *corev1.Node) string { return n.Status.NodeInfo.KubeletVersion }

// theNode asks for the board. There is one.
func theNode(ctx context.Context, c *client.Client) (*corev1.Node, error) {
	var list corev1.NodeList
	if err := c.Object(ctx, "/api/v1/nodes", nil, client.AcceptObject, &list); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, errors.New("the daemon shows no node")
	}
	return &list.Items[0], nil
}

func newStatusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say in a few lines whether the board and its pods are well",
		Long: "Say in a few lines whether the board and its pods are well: the daemon, the conditions of the node that are not as\n" +
			"they should be, each pod that is neither ready nor done, and each manifest that is not followed as it is now, of\n" +
			"pods, workloads and all else. Exit code 0: all is well, 1: the node or a pod is not, or no daemon\n" +
			"answers, 3: what runs is well, and not every manifest is followed as it is now: an edit was refused.",
		Example: "  podd status || podd get events",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return status(cmd.Context(), o.socket, cmd.OutOrStdout())
		},
	}
}

func status(ctx context.Context, socket string, out io.Writer) error {
	node, err := theNode(ctx, client.New(socket, io.Discard)) // what it warns of is a condition of the node
	if err != nil {
		return err
	}
	var pods metav1.Table
	var refused sentences
	if err := client.New(socket, &refused).Object(ctx, "/api/v1/pods", nil, client.AcceptTable, &pods); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintln(tw, escape.Text(fmt.Sprintf(format, args...))) }
	line("Daemon:\tpodd %s on %s", serverVersion(node), socket)
	bad := nodeTroubles(node)
	line("Node:\t%s, %s", node.Name, map[bool]string{true: "well", false: "not well"}[len(bad) == 0])
	for _, text := range bad {
		line("\t%s", text)
	}
	waiting, err := unwell(&pods)
	if err != nil {
		return err
	}
	line("Pods:\t%d, %d not ready", len(pods.Rows), len(waiting))
	for _, text := range waiting {
		line("\t%s", text)
	}
	if len(refused) > 0 {
		line("Manifests:\tnot all are followed as they are now")
	}
	for _, text := range refused {
		line("\t%s", text)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	switch {
	case len(bad)+len(waiting) > 0:
		return exitError(exitFailed)
	case len(refused) > 0:
		return exitError(exitNotFollowed)
	}
	return nil
}

// sentences takes what the daemon warns of, each in a write of its own: with the pods what is wrong with manifests, of
// workloads too.
type sentences []string

func (s *sentences) Write(p []byte) (int, error) {
	*s = append(*s, strings.TrimPrefix(strings.TrimSuffix(string(p), "\n"), "Warning: "))
	return len(p), nil
}

// nodeTroubles are the conditions of the node that are not as they should be: podd's own and Ready are true in a sound one,
// the pressures are not.
func nodeTroubles(n *corev1.Node) []string {
	var bad []string
	for i := range n.Status.Conditions {
		c := &n.Status.Conditions[i]
		want := corev1.ConditionFalse
		if c.Type == corev1.NodeReady || strings.Contains(string(c.Type), "/") {
			want = corev1.ConditionTrue
		}
		if c.Status != want {
			bad = append(bad, fmt.Sprintf("%s is %s: %s", c.Type, c.Status, cmp.Or(c.Message, c.Reason)))
		}
	}
	return bad
}

// unwell lists the pods whose row in the table of pods says neither that all containers are ready nor that they are done.
func unwell(table *metav1.Table) ([]string, error) {
	at := map[string]int{}
	for i, c := range table.ColumnDefinitions {
		at[c.Name] = i
	}
	var list []string
	for i := range table.Rows {
		cell := func(column string) string { return fmt.Sprint(table.Rows[i].Cells[at[column]]) }
		ready, all, _ := strings.Cut(cell("Ready"), "/")
		if cell("Status") == "Completed" || ready == all && cell("Status") == "Running" {
			continue
		}
		var of metav1.PartialObjectMetadata
		if err := json.Unmarshal(table.Rows[i].Object.Raw, &of); err != nil {
			return nil, fmt.Errorf("cannot understand the daemon's table: %w", err)
		}
		list = append(list, fmt.Sprintf("%s/%s: %s, %s ready", of.Namespace, of.Name, cell("Status"), cell("Ready")))
	}
	return list, nil
}

func newInspectCommand(o *options) *cobra.Command {
	i := &images{options: o}
	var namespace string
	cmd := &cobra.Command{
		Use:   "inspect (POD|KIND/NAME|IMAGE)...",
		Short: "Print all that podd knows of pods, other objects or images, as a list in JSON",
		Long: "Print all that podd knows of pods, other objects or images, as a list in JSON. A NAME is a pod's, or, where there is\n" +
			"no pod of that name, an image's.",
		Example: "  podd inspect web\n  podd inspect service/front docker.io/library/busybox:latest",
		Args:    named("name a pod, KIND/NAME or an image", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			found := []any{}
			var errs []error
			for _, arg := range args {
				v, err := i.inspect(cmd.Context(), namespace, arg)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				found = append(found, v)
			}
			text, err := json.MarshalIndent(found, "", "    ")
			if err != nil {
				return err
			}
			fmt.Fprintln(formatOutput(cmd, "json"), string(text))
			return errors.Join(errs...)
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &namespace)
	return cmd
}

// inspect finds an object, or the image of that name.
func (i *images) inspect(ctx context.Context, namespace, arg string) (any, error) {
	t, name := resources()[0], arg
	if kind, rest, ok := strings.Cut(arg, "/"); ok {
		if other, err := askingParser(ctx, i.client())(kind); err == nil {
			t, name = other, rest
		} else {
			name = ""
		}
	}
	var notFound error
	if name != "" {
		var v json.RawMessage
		err := i.client().Object(ctx, t.path(namespace, name), nil, client.AcceptObject, &v)
		if err == nil {
			return v, nil
		}
		if notFound = err; !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	list, err := (&remoteImages{i.client()}).list(ctx)
	if err != nil {
		return nil, err
	}
	for n := range list {
		if isImage(&list[n], arg) {
			return &list[n], nil
		}
	}
	if notFound != nil && t.plural != "pods" {
		return nil, notFound
	}
	return nil, fmt.Errorf("there is no pod in namespace %s and no image of the name %q", namespace, arg)
}

// isImage says whether an image has this name, whole or without what Docker fills in, or an ID that begins so.
func isImage(img *api.ImageInfo, ref string) bool {
	const enough = 4 // digits of an ID
	if id := strings.TrimPrefix(ref, "sha256:"); len(id) >= enough && strings.HasPrefix(strings.TrimPrefix(img.ID, "sha256:"), id) {
		return true
	}
	for _, name := range img.Names {
		for _, prefix := range []string{"", "docker.io/", "docker.io/library/"} {
			if name == prefix+ref || name == prefix+ref+":latest" {
				return true
			}
		}
	}
	return false
}

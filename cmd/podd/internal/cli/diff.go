package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
	"podd/runtime/manifest/update"
)

// exitTrouble is diff's exit code when it could not compare; 1 says that there are differences.
const exitTrouble = 2

func newDiffCommand(o *options) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "diff -f FILE|FOLDER|-",
		Short: "Say what manifests would change: nothing, an object or a pod in place, or another pod",
		Long: "Compare manifests with what podd has taken and runs, a line for each object: new, unchanged, or the fields that\n" +
			"differ; for a pod, whether it is changed in place, what restarts, and why another pod takes its place. Values are\n" +
			"not shown. As with kubectl diff the exit code is 0 without differences, 1 with some, 2 if something could not be\n" +
			"compared. It changes nothing.",
		Example: "  podd diff -f web.yaml\n  podd diff -f new/ && echo nothing to do\n  git show HEAD:web.yaml | podd diff -f -",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			files = append(files, args...)
			if len(files) == 0 {
				return trouble(cmd.ErrOrStderr(), errors.New("nothing to compare: name a file or folder with -f, or - for stdin"))
			}
			d := &diff{client: o.client(), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr()}
			return d.run(cmd.Context(), cmd.InOrStdin(), files)
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return trouble(cmd.ErrOrStderr(), err) })
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder of manifests, or - for stdin")
	return cmd
}

// trouble prints an error that is not to look like a difference.
func trouble(w io.Writer, err error) error {
	return exitError(max(Report(w, err), exitTrouble))
}

// diff is one `podd diff`.
type diff struct {
	client      *client.Client
	out, errOut io.Writer

	node            *corev1.Node // asked for at the first need
	changes, failed bool
}

// run prints a line for each object of all files. Exit code 0: nothing would change, 1: something would, 2: some of
// it could not be compared.
func (d *diff) run(ctx context.Context, stdin io.Reader, paths []string) error {
	for _, path := range paths {
		objects, problems, err := readObjects(stdin, path)
		if err != nil {
			fmt.Fprintln(d.errOut, escape.Line(fmt.Sprintf("cannot compare: %v", err)))
			d.failed = true
			continue
		}
		for i := range objects {
			if err := d.object(ctx, &objects[i]); err != nil {
				return trouble(d.errOut, fmt.Errorf("cannot compare %s %q: %w", strings.ToLower(objects[i].Kind), objects[i].Name, err))
			}
		}
		for i := range problems {
			fmt.Fprintln(d.errOut, escape.Line(problems[i].Message))
			d.failed = true
		}
	}
	switch {
	case d.failed:
		return exitError(exitTrouble)
	case d.changes:
		return exitError(exitFailed)
	}
	return nil
}

const (
	unchanged  = "unchanged"
	notForThis = "not for this board (" + annotation.NodeKey + ")"
)

// object prints what becomes of one object. What the socket does not show is reported, and the rest is compared.
func (d *diff) object(ctx context.Context, o *manifest.Object) error {
	all := resources()
	i := slices.IndexFunc(all, func(r objectType) bool { return r.kind == o.Kind })
	if i < 0 {
		return errors.New("podd does not show objects of this kind")
	}
	name, text := all[i].full(o.Name), ""
	fits, err := d.fits(ctx, o)
	switch {
	case err != nil:
	case !fits:
		text, err = d.elsewhere(ctx, &all[i], o)
	case o.Kind == kinds.KindPod:
		pod := o.Pod()
		text, err = d.pod(ctx, &pod)
	default:
		text, err = d.other(ctx, &all[i], o)
	}
	if o.Namespace != "" && o.Namespace != corev1.NamespaceDefault {
		name += " in namespace " + o.Namespace
	}
	if apierrors.IsForbidden(err) {
		fmt.Fprintln(d.errOut, escape.Line(fmt.Sprintf("%s: cannot compare: %v", name, err)))
		d.failed = true
		return nil
	}
	if err != nil {
		return err
	}
	d.changes = d.changes || text != unchanged && text != notForThis
	fmt.Fprintln(d.out, escape.Line(name+": "+text))
	return nil
}

// fits says whether an object is for this board.
func (d *diff) fits(ctx context.Context, o *manifest.Object) (bool, error) {
	expression := o.Value.GetAnnotations()[annotation.NodeKey]
	if expression == "" {
		return true, nil
	}
	if d.node == nil {
		node, err := theNode(ctx, d.client)
		if err != nil {
			return false, err
		}
		d.node = node
	}
	return annotation.FitsNode(expression, d.node.Name, d.node.Labels), nil
}

// elsewhere says what becomes of an object that is for other boards.
func (d *diff) elsewhere(ctx context.Context, r *objectType, o *manifest.Object) (string, error) {
	err := d.client.Object(ctx, r.path(o.Namespace, o.Name), nil, client.AcceptObject, &metav1.PartialObjectMetadata{})
	switch {
	case apierrors.IsNotFound(err):
		return notForThis, nil
	case err != nil:
		return "", err
	}
	return "removed, because it is now " + notForThis, nil
}

// other asks for an object that podd has taken and says what becomes of it.
func (d *diff) other(ctx context.Context, r *objectType, o *manifest.Object) (string, error) {
	shown := kinds.Of(o.Kind).Blank()
	err := d.client.Object(ctx, r.path(o.Namespace, o.Name), nil, client.AcceptObject, shown)
	if apierrors.IsNotFound(err) {
		return "new", nil
	}
	if err != nil {
		return "", err
	}
	c := update.CompareObjects(o.Kind, shown, o.Value)
	return describeObjectChange(&c), nil
}

func describeObjectChange(c *update.ObjectChange) string {
	if len(c.Fields) == 0 {
		return unchanged
	}
	if c.Refused != nil {
		return "refused, the version before stays: " + c.Refused.Error()
	}
	var fields []string
	for _, f := range c.Fields {
		if c.Overridden(f) {
			f += " (set by hand)"
		}
		fields = append(fields, f)
	}
	text := "changed: " + strings.Join(fields, ", ")
	if c.RollsOut {
		text += "; its pods get successors"
	}
	return text
}

// pod asks for the pod that runs and says what becomes of it.
func (d *diff) pod(ctx context.Context, m *manifest.Pod) (string, error) {
	var live corev1.Pod
	err := d.client.Object(ctx, client.PodPath(m.Object.Namespace, m.Object.Name), nil, client.AcceptObject, &live)
	if apierrors.IsNotFound(err) {
		return "new", nil
	}
	if err != nil {
		return "", err
	}
	if len(live.Spec.Containers) == 0 {
		return "new, the manifest before was refused", nil
	}
	after := m.Object.DeepCopy()
	after.ObjectMeta = *live.ObjectMeta.DeepCopy()
	after.Labels, after.Annotations = m.Object.Labels, m.Object.Annotations
	after.Spec.NodeName = live.Spec.NodeName
	return describeChange(&live, update.Compare(&live, after), after), nil
}

func describeChange(live *corev1.Pod, c update.Change, after *corev1.Pod) string {
	ended := live.Status.Phase == corev1.PodSucceeded || live.Status.Phase == corev1.PodFailed
	switch {
	case len(c.Replace) > 0:
		return "replaced, because of " + strings.Join(c.Replace, ", ")
	case len(c.Fields) == 0:
		return unchanged
	case ended:
		return "replaced, because it has ended: " + strings.Join(c.Fields, ", ")
	}
	text := "changed in place: " + strings.Join(c.Fields, ", ")
	if names := c.Restarts(live, after); len(names) > 0 {
		return text + "; restarts " + strings.Join(names, ", ")
	}
	return text + "; restarts nothing"
}

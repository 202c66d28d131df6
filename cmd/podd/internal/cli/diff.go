package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
	"podd/runtime/manifest"
	"podd/runtime/manifest/update"
)

// exitTrouble is diff's exit code when it could not compare; 1 says that there are differences.
const exitTrouble = 2

func newDiffCommand(o *options) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "diff -f FILE|FOLDER|-",
		Short: "Say what a manifest would do to the pods that run: nothing, a change in place, or another pod",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			files = append(files, args...)
			if len(files) == 0 {
				return errors.New("nothing to compare: name a file or folder with -f, or - for stdin")
			}
			return diff(cmd, o.client(), files)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder of manifests, or - for stdin")
	return cmd
}

// diff prints a line for each pod of all files. Exit code 0: nothing would change, 1: something would, 2: some of
// it could not be compared.
func diff(cmd *cobra.Command, c *client.Client, paths []string) error {
	changes, trouble := false, false
	for _, path := range paths {
		pods, problems, err := readManifests(cmd.InOrStdin(), path)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "cannot compare: %v\n", err)
			trouble = true
			continue
		}
		for i := range pods {
			text, err := verdictOn(cmd.Context(), c, &pods[i])
			if err != nil {
				return fmt.Errorf("cannot compare pod %q: %w", pods[i].Object.Name, err)
			}
			changes = changes || text != unchanged
			fmt.Fprintf(cmd.OutOrStdout(), "pod/%s: %s\n", pods[i].Object.Name, escape.Line(text))
		}
		for i := range problems {
			fmt.Fprintln(cmd.ErrOrStderr(), escape.Line(problems[i].Message))
			trouble = true
		}
	}
	switch {
	case trouble:
		return exitError(exitTrouble)
	case changes:
		return exitError(exitFailed)
	}
	return nil
}

const unchanged = "unchanged"

// verdictOn asks for the pod that runs and says what becomes of it.
func verdictOn(ctx context.Context, c *client.Client, m *manifest.Pod) (string, error) {
	var live corev1.Pod
	err := c.Object(ctx, client.PodPath(m.Object.Namespace, m.Object.Name), nil, client.AcceptObject, &live)
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
	return sayChange(&live, update.Compare(&live, after), after), nil
}

func sayChange(live *corev1.Pod, c update.Change, after *corev1.Pod) string {
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

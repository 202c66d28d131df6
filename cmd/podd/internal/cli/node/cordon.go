// Package node has the commands about the board as a node: cordon, drain, reboot.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/client"
)

// Options are what the commands share with all others.
type Options struct {
	Client   func() *client.Client
	Complete func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) // the node's name
	// Answers says why logind cannot be asked to let the board go down, GoDown asks it; nil: that of the system bus.
	Answers func(ctx context.Context) error
	GoDown  func(ctx context.Context, way string) error
}

// Commands are those about the board.
func Commands(o *Options) []*cobra.Command {
	return []*cobra.Command{newCordonCommand(o, true), newCordonCommand(o, false), newDrainCommand(o), newRebootCommand(o, reboots()), newRebootCommand(o, powersOff())}
}

func oneNode(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return errors.New("there is one node: name it, or none")
	}
	return nil
}

func newCordonCommand(o *Options, on bool) *cobra.Command {
	var dryRun string
	cmd := &cobra.Command{
		Use:   "cordon [NODE]",
		Short: "Mark the board as unschedulable: it takes no new pods of controllers until uncordon",
		Long: `Mark the board as unschedulable.

Pods that controllers make from now on stay Pending, but those of DaemonSets. What runs goes on, and pods of the folder are not
affected: they are static pods. The board stays cordoned over deaths of podd and over reboots.`,
		Example: `  # Let the board take no new pods of controllers
  podd cordon

  # See it
  podd get node`,
		Args: oneNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			dry, err := isClientDryRun(dryRun)
			if err != nil {
				return err
			}
			return cordon(cmd.Context(), cmd.OutOrStdout(), o.Client(), args, on, dry)
		},
		ValidArgsFunction: o.Complete,
	}
	if !on {
		cmd.Use, cmd.Short = "uncordon [NODE]", "Mark the board as schedulable: it takes new pods of controllers again"
		cmd.Long = "Mark the board as schedulable again. Pods that waited for it start."
		cmd.Example = `  # Let the board take pods of controllers again
  podd uncordon`
	}
	addDryRun(cmd, &dryRun)
	return cmd
}

func addDryRun(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "dry-run", "none", "none, client or server: say what would be done, and do nothing")
	words := cobra.FixedCompletions([]string{"none", "client", "server"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("dry-run", words); err != nil {
		panic(err) // there is no such flag: a bug here
	}
}

func isClientDryRun(value string) (bool, error) {
	switch value {
	case "none":
		return false, nil
	case "client", "server":
		return true, nil
	}
	return false, fmt.Errorf(`invalid dry-run value (%v), must be "none", "server" or "client"`, value)
}

// cordon marks the board, and says so in kubectl's words.
func cordon(ctx context.Context, out io.Writer, c *client.Client, args []string, on, dry bool) error {
	n, err := theNode(ctx, c, args)
	if err != nil {
		return err
	}
	said := map[bool]string{true: "cordoned", false: "uncordoned"}[on]
	switch {
	case n.Spec.Unschedulable == on && n.Annotations[untilBoot] == "":
		said = "already " + said
	case dry:
		said += " (dry run)"
	default:
		var value any = true
		if !on {
			value = nil
		}
		if err := c.Patch(ctx, "/api/v1/nodes/"+n.Name, map[string]any{"spec": map[string]any{"unschedulable": value}}); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "node/%s %s\n", n.Name, said)
	return nil
}

// theNode is the board; args may name it.
func theNode(ctx context.Context, c *client.Client, args []string) (*corev1.Node, error) {
	if len(args) == 1 {
		n := &corev1.Node{}
		return n, c.Object(ctx, "/api/v1/nodes/"+args[0], nil, client.AcceptObject, n)
	}
	var list corev1.NodeList
	if err := c.Object(ctx, "/api/v1/nodes", nil, client.AcceptObject, &list); err != nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("the daemon shows %d nodes", len(list.Items))
	}
	return &list.Items[0], nil
}

// Package cli is podd's command line: what a user asks of the daemon by way of package client, and what works without one. The
// daemon itself is the one command that it is handed.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"podd/cmd/podd/internal/cli/discovery"
	"podd/cmd/podd/internal/cli/hint"
	"podd/cmd/podd/internal/cli/node"
	"podd/cmd/podd/internal/cli/rollout"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
)

// New makes the command line of podd. run is the command that is the daemon.
func New(version string, run *cobra.Command, use ImageUse) *cobra.Command {
	o := &options{warnings: os.Stderr, imageUse: use}
	root := &cobra.Command{
		Use:           "podd",
		Version:       version,
		Short:         "Run Kubernetes pods on this machine from a folder of manifests",
		Example:       "  podd doctor\n  podd get pods",
		SilenceErrors: true, // Report prints them
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			escapeOutput(cmd)
			o.warnings = cmd.ErrOrStderr()
		},
	}
	root.PersistentFlags().StringVar(&o.socket, "socket", defaultClientSocket(), "socket of the daemon (also PODD_SOCKET)")
	addRunPod(run, o)
	root.AddCommand(
		run,
		newGetCommand(o),
		newDescribeCommand(o),
		newLogsCommand(o),
		newExecCommand(o),
		newAttachCommand(o),
		newDebugCommand(o),
		newPortForwardCommand(o),
		newDeleteCommand(o),
		newBackupCommand(o),
		newRestoreCommand(o),
		newImagesCommand(o),
		newValidateCommand(),
		newDiffCommand(o),
		newDoctorCommand(o),
		newFieldsCommand(),
		newSealCommand(),
		newVersionCommand(o, version),
		newStatusCommand(o),
		newInspectCommand(o),
		newRestartCommand(o),
		newPruneCommand(o),
		newSystemCommand(o),
		newCompletionCommand(),
	)
	root.AddCommand(rollout.Commands(rolloutOptions(o))...)
	root.AddCommand(discovery.Command(o.client))
	root.AddCommand(node.Commands(&node.Options{Client: o.client, Complete: completeNode(o)})...)
	addHints(root)
	return root
}

// addHints gives verbs of other programs that podd has not a sentence about what it has: commands that no help and no
// completion shows.
func addHints(root *cobra.Command) {
	for name, instead := range hint.Verbs() {
		if slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == name || c.HasAlias(name) }) {
			continue
		}
		root.AddCommand(&cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("podd has no %s: %s", name, instead)
			},
		})
	}
}

// ImageUse is which images, and which layers of the store, the pods of a daemon use that does not run.
type ImageUse func(runDir, root string) (ids, layers map[string]bool, err error)

// options are what all client commands share.
type options struct {
	socket   string
	warnings io.Writer
	imageUse ImageUse
}

func (o *options) client() *client.Client { return client.New(o.socket, o.warnings) }

func defaultClientSocket() string {
	if s := os.Getenv("PODD_SOCKET"); s != "" {
		return s
	}
	read := config.ReadSocket(config.DefaultSocket)
	if errors.Is(unix.Access(config.DefaultSocket, unix.W_OK), unix.EACCES) && unix.Access(read, unix.W_OK) == nil {
		return read // of those who may look
	}
	return config.DefaultSocket
}

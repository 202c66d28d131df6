// Command podd runs Kubernetes pods on one Linux board from a folder of manifests, and is
// the client that shows them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	os.Exit(report(os.Stderr, err))
}

func newRootCommand() *cobra.Command {
	o := &options{warnings: os.Stderr}
	root := &cobra.Command{
		Use:           "podd",
		Short:         "Run Kubernetes pods on this machine from a folder of manifests",
		SilenceErrors: true, // report prints them
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			escapeOutput(cmd)
			o.warnings = cmd.ErrOrStderr()
		},
	}
	root.PersistentFlags().StringVar(&o.socket, "socket", defaultClientSocket(), "socket of the daemon (also PODD_SOCKET)")
	root.AddCommand(
		newRunCommand(),
		newGetCommand(o),
		newDescribeCommand(o),
		newLogsCommand(o),
		newExecCommand(o),
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
		newVersionCommand(),
		newCompletionCommand(),
	)
	return root
}

// options are what all client commands share.
type options struct {
	socket   string
	warnings io.Writer
}

func (o *options) client() *client { return newClient(o.socket, o.warnings) }

func defaultClientSocket() string {
	if s := os.Getenv("PODD_SOCKET"); s != "" {
		return s
	}
	return defaultSocket
}

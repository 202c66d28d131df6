package daemon

import (
	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/config"
)

// NewCommand makes `podd run`.
func NewCommand(version string) *cobra.Command {
	var defaults config.Config
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Run the daemon",
		Example: "  podd run\n  podd run --manifests ./pods --pod-cidr 10.99.0.0/24",
		Long: `Run the daemon: watch the folder of manifests and run its pods.

SIGTERM and SIGINT end all pods gracefully and then podd. SIGUSR1 ends podd and
leaves the pods running for the next one to adopt. SIGHUP reads the configuration
and the folder again.`,
		Args: func(cmd *cobra.Command, args []string) error { return usageError(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := config.NewSource(cmd.Flags())
			if err != nil {
				return err
			}
			return runDaemon(source, version)
		},
	}
	defaults.AddFlags(cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	return cmd
}

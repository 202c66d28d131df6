// Command podd runs Kubernetes pods on one Linux board from a folder of manifests, and is
// the client that shows them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli"
	"podd/cmd/podd/internal/daemon"
)

// version of podd; a release build sets it with -ldflags "-X main.version=v1.2.3".
var version = "v0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	os.Exit(cli.Report(os.Stderr, err))
}

func newRootCommand() *cobra.Command {
	return cli.New(version, daemon.NewCommand(version), daemon.ReadImageUse)
}

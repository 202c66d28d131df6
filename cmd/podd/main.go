// Command podd runs Kubernetes pods on one Linux board from a folder of manifests, and is
// the client that shows them.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli"
	"podd/cmd/podd/internal/daemon"
)

// version of podd; a release build sets it with -ldflags "-X main.version=v1.2.3".
var version = "v0.1.0-dev"

// The first thread runs nothing but main, which waits. To make a container's mounts libcontainer sends threads into its mount
// namespace and lets them end there; the first thread of a process cannot end. It would stay, hold the mounts of a container
// that is long gone, and show them as podd's in /proc/PID.
func init() { runtime.LockOSThread() }

func main() {
	exit := make(chan int)
	go func() { exit <- run() }()
	os.Exit(<-exit)
}

// run is podd with its arguments; the answer is its exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	return cli.Report(os.Stderr, err)
}

func newRootCommand() *cobra.Command {
	return cli.New(version, daemon.NewCommand(version), daemon.ReadImageUse)
}

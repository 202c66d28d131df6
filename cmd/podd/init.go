package main

import (
	"fmt"
	"os"

	"github.com/opencontainers/runc/libcontainer"
	// Its C constructor enters the namespaces before the Go runtime starts.
	_ "github.com/opencontainers/runc/libcontainer/nsenter"

	"podd/runtime/container"
)

// A container's first process is this binary, started again as "podd init".
func init() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		if err := container.MountCgroupView(); err != nil {
			fmt.Fprintln(os.Stderr, "podd:", err)
			os.Exit(1)
		}
		libcontainer.Init()
	}
}

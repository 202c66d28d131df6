package main

import (
	"os"

	"github.com/opencontainers/runc/libcontainer"
	// Its C constructor enters the namespaces before the Go runtime starts.
	_ "github.com/opencontainers/runc/libcontainer/nsenter"
)

// A container's first process is this binary, started again as "podd init".
func init() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		libcontainer.Init()
	}
}

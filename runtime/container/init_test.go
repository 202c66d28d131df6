package container

import (
	"fmt"
	"os"

	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter"
)

// The test binary is its own container init, as the built binary is.
func init() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		if err := MountCgroupView(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		libcontainer.Init()
	}
}

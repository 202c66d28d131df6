// Package reexec is what this binary does when podd starts it again: as "podd init" it is the first process of a container
// or of an exec, as /pause that of a shared PID namespace. Programs import it for its effect.
//
// Packages are initialised in the order of their paths as soon as those that they import are. This one imports libcontainer
// and hardly anything else of podd's, so that it is done before the types of the Kubernetes API are registered, whose
// packages wait for some below sigs.k8s.io (docs/decisions/019-plain-build.md).
package reexec

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runc/libcontainer"
	// Its C constructor enters the namespaces before the Go runtime starts.
	_ "github.com/opencontainers/runc/libcontainer/nsenter"

	"podd/runtime/container/cgroupview"
	"podd/runtime/container/devview"
)

func init() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		dev, err := devview.Mount()
		if err := errors.Join(err, cgroupview.Mount(), confine(dev)); err != nil {
			fmt.Fprintln(os.Stderr, "podd:", err)
			os.Exit(1)
		}
		libcontainer.Init()
	}
}

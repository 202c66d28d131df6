package container

import (
	"errors"
	"strings"
)

var (
	// ErrNotRunning says that the container's first process is gone.
	ErrNotRunning = errors.New("container is not running")
	// ErrRun marks a first process that could not be started, such as a command that is not in the image.
	// Kubernetes calls the waiting reason RunContainerError or StartError.
	ErrRun = errors.New("container process cannot be started")
)

// runError is an ErrRun whose text leaves out the layers that libcontainer puts around a cause.
type runError struct{ err error }

func (e *runError) Error() string {
	text := e.err.Error()
	for _, layer := range []string{"unable to start container process: ", "error during container init: ", "error executing setns process: "} {
		text = strings.ReplaceAll(text, layer, "")
	}
	return text
}

func (e *runError) Unwrap() []error { return []error{ErrRun, e.err} }

package userns

import (
	"errors"
	"fmt"
)

// ErrExhausted says that every range has a holder.
var ErrExhausted = errors.New("no ids of its own are left for a pod")

// UnmappableError says that a file system cannot show its files with other owners.
type UnmappableError struct {
	Path, FileSystem string
	err              error
}

// Error is one sentence with the remedy.
func (e *UnmappableError) Error() string {
	return fmt.Sprintf("the %s at %s cannot be mounted with a pod's own ids on this kernel: use another file system, or set hostUsers: true", e.FileSystem, e.Path)
}

func (e *UnmappableError) Unwrap() error { return e.err }

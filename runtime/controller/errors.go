package controller

import "errors"

// ErrNotFound is returned for a workload that is not there.
var ErrNotFound = errors.New("not found")

package executor

import "errors"

// ErrSkipped says of an action that it was left out because one before it failed.
var ErrSkipped = errors.New("skipped: an earlier step failed")

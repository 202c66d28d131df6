package runtime

import "errors"

var (
	// ErrNotFound says that there is no such pod or container.
	ErrNotFound = errors.New("not found")
)

package runtime

import "errors"

// ErrNotFound says that there is no such pod or container.
var ErrNotFound = errors.New("not found")

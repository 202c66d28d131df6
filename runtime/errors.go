package runtime

import "errors"

var (
	// ErrIllegalMove says that an event does not fit the state it meets.
	ErrIllegalMove = errors.New("illegal move")
	// ErrNotFound says that there is no such pod or container.
	ErrNotFound = errors.New("not found")
)

package state

import "errors"

// ErrIllegalMove says that an event does not fit the state it meets.
var ErrIllegalMove = errors.New("illegal move")

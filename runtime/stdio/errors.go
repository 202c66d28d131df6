package stdio

import "errors"

// ErrSlow ends the session of a client that reads slower than its container writes, so that the container has not to wait.
var ErrSlow = errors.New("this client reads more slowly than the container writes: more than 4 MiB waited for it; what it has missed is in the log")

// ErrUnfollowed says that what a container writes reaches nobody.
var ErrUnfollowed = errors.New("what the container writes cannot be followed since podd was started again")

package event

import "errors"

// ErrTooOld says that a watch cannot begin at a resource version: changes since
// are forgotten, or it is of another time. List and watch from there.
var ErrTooOld = errors.New("resource version is too old")

package logs

import "errors"

var (
	// ErrNoLog says that there is no log of that attempt.
	ErrNoLog = errors.New("no log")
	// ErrClosed says that a sink is used after Close.
	ErrClosed = errors.New("log is closed")
	// ErrState says that a sink's state file is of a layout that this program does
	// not know.
	ErrState = errors.New("unknown layout of the log's state")
)

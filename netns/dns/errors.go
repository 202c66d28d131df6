package dns

import "errors"

var (
	// ErrName says that something is not a domain name.
	ErrName = errors.New("not a domain name")
	// ErrTaken says that another program serves port 53 of the address.
	ErrTaken = errors.New("another program has port 53")

	errMalformed = errors.New("malformed message")
	errNoServer  = errors.New("no name server is known")
	errRefused   = errors.New("no name server has an answer")
)

package fdstore

import "errors"

// ErrName says that a descriptor's name is not one that systemd accepts.
var ErrName = errors.New("not a valid descriptor name")

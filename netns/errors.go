package netns

import "errors"

var (
	// ErrExhausted says that every address of the pod network is leased.
	ErrExhausted = errors.New("no free address in the pod network")

	// ErrNotNamespaced refuses a sysctl that would change the whole machine.
	ErrNotNamespaced = errors.New("sysctl does not belong to a namespace of the pod")

	// ErrNotABridge says that the configured bridge name is taken by another kind of interface.
	ErrNotABridge = errors.New("interface is not a bridge")
)

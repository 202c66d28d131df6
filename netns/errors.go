package netns

import "errors"

var (
	// ErrExhausted says that every address of the pod network is leased.
	ErrExhausted = errors.New("no free address in the pod network")

	// ErrTaken says that a port of the node belongs to another pod, Service or process.
	ErrTaken = errors.New("port is taken")

	// ErrAddressTaken says that another pod has the address of a pod.
	ErrAddressTaken = errors.New("the address is another pod's")

	// ErrNoAddress says that nobody knows any more which address a pod has.
	ErrNoAddress = errors.New("the pod's address is not known")

	// ErrOverlap says that addresses of the pod network belong to another network that the machine knows.
	ErrOverlap = errors.New("networks overlap")

	// errNoRules says that the kernel has not taken podd's rules, without which it forwards too much.
	errNoRules = errors.New("podd's rules are not in force")

	// ErrNotABridge says that the configured bridge name is taken by another kind of interface.
	ErrNotABridge = errors.New("interface is not a bridge")
)

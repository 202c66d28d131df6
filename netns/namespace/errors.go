package namespace

import "errors"

var (
	// ErrNotNamespaced refuses a sysctl that would change the whole machine.
	ErrNotNamespaced = errors.New("sysctl does not belong to a namespace of the pod")

	// ErrTooManyUserNamespaces says that the kernel makes no more user namespaces.
	ErrTooManyUserNamespaces = errors.New("the kernel makes no more user namespaces: set user.max_user_namespaces higher (sysctl.d)")

	// ErrNoUserNamespaces says that this kernel has none.
	ErrNoUserNamespaces = errors.New("the kernel has no user namespaces (CONFIG_USER_NS)")
)

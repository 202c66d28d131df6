package cgroups

import "errors"

var (
	// ErrBusy says that a cgroup still had processes when waiting for their end was over.
	ErrBusy = errors.New("cgroup still has processes")

	// ErrNoController says that a limit needs a controller that the kernel does not offer here.
	ErrNoController = errors.New("cgroup controller is not available")

	// ErrForeignPath refuses to touch a cgroup that is not below kubepods.
	ErrForeignPath = errors.New("cgroup is not a pod's")

	// ErrInUse refuses a memory limit below what is in use: the kernel would kill for it.
	ErrInUse = errors.New("memory limit below current usage")

	// ErrNoCgroups says that no cgroup file system is mounted.
	ErrNoCgroups = errors.New("no cgroup file system found")
)

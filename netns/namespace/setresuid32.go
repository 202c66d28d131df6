//go:build 386 || arm

package namespace

import "golang.org/x/sys/unix"

// The first one takes users of 16 bits only.
const (
	sysSetresuid = unix.SYS_SETRESUID32
	sysSetfsuid  = unix.SYS_SETFSUID32
	sysSetfsgid  = unix.SYS_SETFSGID32
)

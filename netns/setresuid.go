//go:build !386 && !arm

package netns

import "golang.org/x/sys/unix"

const sysSetresuid = unix.SYS_SETRESUID

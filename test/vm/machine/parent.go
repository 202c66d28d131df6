package machine

import "syscall"

// endWithParent has the kernel end qemu when the test dies without a word, as after -timeout.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

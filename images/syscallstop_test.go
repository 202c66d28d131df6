package images

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A process can be stopped before each of its system calls that change a disk: seccomp asks the test for each (man 2
// seccomp_unotify). So it can be killed, or the disk be taken away, at every one of them, and podd itself has no hooks.

// changing are the system calls that change a file system.
var changing = []uintptr{
	unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE,
	unix.SYS_SPLICE, unix.SYS_FTRUNCATE, unix.SYS_TRUNCATE, unix.SYS_FALLOCATE,
	unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_MKNODAT,
	unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_UTIMENSAT, unix.SYS_SETXATTR,
	unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNC, unix.SYS_SYNCFS, unix.SYS_SYNC_FILE_RANGE,
}

// askBefore makes the kernel ask before each of them; it gives the descriptor where the questions are.
func askBefore() (int, error) {
	const load, jumpEqual, jumpSet, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	const ask, allow = 0x7fc00000, 0x7fff0000
	program := []unix.SockFilter{{Code: load, K: 0}}
	for _, nr := range changing {
		program = append(program, unix.SockFilter{Code: jumpEqual, Jf: 1, K: uint32(nr)}, unix.SockFilter{Code: ret, K: ask})
	}
	program = append(program,
		unix.SockFilter{Code: jumpEqual, Jf: 4, K: unix.SYS_IOCTL},
		unix.SockFilter{Code: load, K: 16 + 1*8}, // which
		unix.SockFilter{Code: jumpEqual, Jf: 1, K: unix.FICLONE},
		unix.SockFilter{Code: ret, K: ask},
		unix.SockFilter{Code: ret, K: allow},
		unix.SockFilter{Code: jumpEqual, Jf: 3, K: unix.SYS_OPENAT},
		unix.SockFilter{Code: load, K: 16 + 2*8}, // the flags
		unix.SockFilter{Code: jumpSet, Jf: 1, K: unix.O_CREAT | unix.O_TRUNC},
		unix.SockFilter{Code: ret, K: ask},
		unix.SockFilter{Code: ret, K: allow})
	const setFilter, tsync, newListener, tsyncEsrch = 1, 1, 1 << 3, 1 << 4
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, setFilter, tsync|newListener|tsyncEsrch, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// stepped runs a command and calls step before each of its system calls that change a disk, until step returns false: then
// the command is killed, as if by the loss of power.
func stepped(cmd *exec.Cmd, step func() bool) (ended bool, err error) {
	in, out, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer in.Close()
	cmd.ExtraFiles = []*os.File{out} // its descriptor 3
	cmd.Env = append(cmd.Env, "PODD_TEST_STEPPED=1")
	if err := cmd.Start(); err != nil {
		return false, err
	}
	_ = out.Close()
	defer func() {
		if !ended {
			_ = cmd.Process.Kill()
		}
		werr := cmd.Wait()
		if ended {
			err = errors.Join(err, werr)
		}
	}()
	listener, err := listenerOf(cmd.Process.Pid, in)
	if err != nil {
		return false, err
	}
	defer unix.Close(listener)
	for {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return false, err
		}
		if poll[0].Revents&unix.POLLIN == 0 { // all its threads are gone
			return true, nil
		}
		var question [80]byte // struct seccomp_notif
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), 0xc0502100, uintptr(unsafe.Pointer(&question))); errno != 0 {
			continue
		}
		if !step() {
			return false, nil
		}
		var answer [24]byte // struct seccomp_notif_resp: the id, and the flag to go on
		copy(answer[:8], question[:8])
		answer[20] = 1
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), 0xc0182101, uintptr(unsafe.Pointer(&answer)))
	}
}

// listenerOf takes the descriptor of the questions out of the process, which has told its number.
func listenerOf(pid int, in *os.File) (int, error) {
	var number [1]byte
	if _, err := in.Read(number[:]); err != nil {
		return -1, fmt.Errorf("the process has not begun: %w", err)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		fd, err := unix.PidfdGetfd(pidfd, int(number[0]), 0)
		if errors.Is(err, unix.EBADF) { // not yet
			continue
		}
		if err != nil {
			return -1, err
		}
		if what, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); what == "anon_inode:seccomp notify" {
			return fd, nil
		}
		_ = unix.Close(fd)
	}
	return -1, errors.New("the process has no filter")
}

// beStepped is how the process under test lets itself be stopped. Its number is told before the filter is there, since the
// filter asks before writes: the next free descriptor is known.
func beStepped() error {
	probe, err := unix.Dup(3)
	if err != nil {
		return err
	}
	_ = unix.Close(probe)
	if _, err := unix.Write(3, []byte{byte(probe)}); err != nil {
		return err
	}
	fd, err := askBefore()
	if err == nil && fd != probe {
		err = fmt.Errorf("the listener is %d and not %d", fd, probe)
	}
	return err
}

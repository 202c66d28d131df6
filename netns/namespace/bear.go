package namespace

/*
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PODD_STACK 16384

struct podd_birth {
	pid_t parent;
	char stack[PODD_STACK] __attribute__((aligned(16)));
};

// podd_wait has the memory of the parent, its thread's variables too: it makes system calls that do not fail, and no other.
static int podd_wait(void *arg) {
	struct podd_birth *b = arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (getppid() == b->parent) {
		ppoll(NULL, 0, NULL, NULL);
	}
	_exit(0);
}

// podd_bear clones a process that waits to be killed, and says its number or what went wrong, below 0. No signal reaches it
// but SIGKILL: handlers are the Go runtime's, for its own threads.
static int podd_bear(struct podd_birth *b, int flags) {
	unsigned char all[8] = {255, 255, 255, 255, 255, 255, 255, 255}, before[8];
	int pid;
	b->parent = getpid();
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, all, before, sizeof(all));
	pid = clone(podd_wait, b->stack + PODD_STACK, flags | CLONE_VM | CLONE_FILES | SIGCHLD, b);
	if (pid < 0) {
		pid = -errno;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(before));
	return pid;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// born is a process that only holds namespaces.
type born struct {
	pid    int
	memory *C.struct_podd_birth
}

// bearNamespaces makes a process with namespaces of these kinds, which all belong to its user namespace: a process with
// threads cannot make one for itself. It shares the daemon's memory and descriptors, of which a copy would cost more than all
// the rest of a start, and runs no program. It dies with the calling thread, which must be locked until it is killed.
func bearNamespaces(flags int, u Users) (*born, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := &born{memory: (*C.struct_podd_birth)(C.malloc(C.sizeof_struct_podd_birth))}
	err := makingFilesAs(u.First, func() { b.pid = int(C.podd_bear(b.memory, C.int(flags))) })
	if err == nil && b.pid < 0 {
		err = unix.Errno(-b.pid)
	}
	if b.pid < 0 || err != nil {
		C.free(unsafe.Pointer(b.memory))
		return nil, whyNoUsers(err)
	}
	ids := fmt.Sprintf("0 %d %d", u.First, u.Count)
	for _, name := range []string{"uid_map", "gid_map"} {
		if err := os.WriteFile(filepath.Join("/proc", strconv.Itoa(b.pid), name), []byte(ids), 0); err != nil {
			b.kill()
			return nil, fmt.Errorf("cannot make a user namespace: %w", err)
		}
	}
	return b, nil
}

func whyNoUsers(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return ErrTooManyUserNamespaces
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", ErrNoUserNamespaces, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("podd may not make user namespaces (a security module): %w", err)
	}
	return fmt.Errorf("cannot make a user namespace: %w", err)
}

// kill ends the process. Its stack goes when it is dead.
func (b *born) kill() {
	_ = unix.Kill(b.pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(b.pid, nil, unix.WALL, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	C.free(unsafe.Pointer(b.memory))
}

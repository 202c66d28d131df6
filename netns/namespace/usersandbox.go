package namespace

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Users are the ids of a sandbox that has a user namespace: its user and group 0 are First on the machine.
type Users struct{ First, Count int }

// userKind is held by sandboxes that own their other namespaces' privileges themselves.
var userKind = kind{"user", unix.CLONE_NEWUSER}

// ensureUserSandbox is EnsureSandbox for namespaces that belong to a user namespace of their own. They are made together,
// as those of an unfinished sandbox would belong to somebody else.
func ensureUserSandbox(dir string, o SandboxOptions) error {
	kinds := append([]kind{userKind}, wantedKinds(o)...)
	missing, err := missingOf(dir, kinds)
	if err != nil || len(missing) == 0 {
		return err
	}
	sysctls, err := planSysctls(o, kinds)
	if err != nil {
		return err
	}
	if err := ensureSandboxDir(dir); err != nil {
		return err
	}
	flags := 0
	for _, k := range kinds {
		if err := unbind(filepath.Join(dir, k.name)); err != nil {
			return err
		}
		flags |= k.flag
	}
	enter := flags &^ unix.CLONE_NEWUSER
	return OnThreadSoon(func() error { return makeOwned(dir, o, kinds, enter, sysctls) }, enter)
}

// makeOwned runs on a thread that may change its namespaces.
func makeOwned(dir string, o SandboxOptions, kinds []kind, enter int, sysctls []sysctl) error {
	child, err := bearNamespaces(enter|unix.CLONE_NEWUSER, *o.Users)
	if err != nil {
		return err
	}
	defer child.kill()
	proc := "/proc/" + strconv.Itoa(child.pid) + "/ns/"
	for _, k := range kinds {
		if k.flag == unix.CLONE_NEWUSER {
			continue
		}
		if err := enterNamespace(proc+k.name, k.flag); err != nil {
			return err
		}
	}
	if err := setUpNamespaces(o, enter); err != nil {
		return err
	}
	for _, s := range sysctls {
		if err := s.writeAs(o.Users.First); err != nil {
			return err
		}
	}
	for _, k := range kinds {
		if err := bindNamespace(proc+k.name, dir, k); err != nil {
			return err
		}
	}
	return nil
}

func enterNamespace(path string, flag int) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open a namespace: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, flag); err != nil {
		return fmt.Errorf("cannot enter %s: %w", path, err)
	}
	return nil
}

// asOther is held while a thread is another user: what the kernel keeps of who may trace the process is one for all threads,
// and who finds what another one has made of it would put that back.
var asOther sync.Mutex

// writeAs writes a value that only the namespace's own root may: for those of the IPC namespace the kernel asks who
// writes, not what the writer may do (ipc/ipc_sysctl.c).
func (s sysctl) writeAs(root int) error {
	if s.kind != unix.CLONE_NEWIPC {
		return s.write()
	}
	return asUser(func() error {
		if errno := becomeOnThread(root); errno != 0 {
			return fmt.Errorf("cannot set a sysctl as user %d: %w", root, errno)
		}
		err := s.write()
		if errno := becomeOnThread(0); errno != 0 {
			panic("cannot become root again: " + errno.Error())
		}
		return err
	})
}

// makingFilesAs has what a thread makes belong to another user and its group: the root of an IPC namespace's message queues
// is made with the namespace, and is its root's. Without that a container's root could not change it, nor SELinux label it.
func makingFilesAs(root int, fn func()) error {
	become := func(id int) { // man 2 setfsuid: they return no error
		_, _, _ = unix.RawSyscall(sysSetfsgid, uintptr(id), 0, 0)
		_, _, _ = unix.RawSyscall(sysSetfsuid, uintptr(id), 0, 0)
	}
	return asUser(func() error {
		become(root)
		defer become(0)
		fn()
		return nil
	})
}

// asUser calls what makes this thread another user, and a thread of root again.
func asUser(fn func() error) error {
	asOther.Lock()
	defer asOther.Unlock()
	// Another user's process may not be traced, and stays so (man 2 PR_SET_DUMPABLE).
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("cannot become another user: %w", err)
	}
	err = fn()
	return errors.Join(err, unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(dumpable), 0, 0, 0))
}

// becomeOnThread changes the effective user of the calling thread alone, unlike package syscall; its saved one leads back.
func becomeOnThread(user int) syscall.Errno {
	const keep = ^uintptr(0)
	_, _, errno := unix.RawSyscall(sysSetresuid, keep, uintptr(user), 0)
	return errno
}

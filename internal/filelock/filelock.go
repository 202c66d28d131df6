// Package filelock locks by flock(2) on files that only root opens. The kernel gives a lock back when its process dies.
package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
)

// How a file is locked.
const (
	Exclusive = unix.LOCK_EX
	Shared    = unix.LOCK_SH
)

// Lock is held until it is closed.
type Lock struct{ f *os.File }

// Wait locks a file, which is made if need be, as soon as nobody has it otherwise. What stands in its place and is no file
// is set aside and reported.
func Wait(path string, how int, report atomicfile.Report) (*Lock, error) {
	return lock(path, how, report)
}

// Try is Wait that does not wait; nil: another has it.
func Try(path string, how int, report atomicfile.Report) (*Lock, error) {
	l, err := lock(path, how|unix.LOCK_NB, report)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return l, err
}

func lock(path string, how int, report atomicfile.Report) (*Lock, error) {
	for {
		f, err := open(path, report)
		if err != nil {
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			err = unix.Flock(int(f.Fd()), how)
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		if isAt(f, path) {
			return &Lock{f}, nil
		}
		_ = f.Close() // somebody has removed the file meanwhile: this is not the one that others lock
	}
}

// open opens a lock file without following or waiting. Whatever else stands there holds no lock, and is set aside. It needs
// no right to write: on a card that has become read-only there is still the file of an earlier start.
func open(path string, report atomicfile.Report) (*os.File, error) {
	const flags = os.O_CREATE | os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	f, err := openRegular(path, flags)
	if errors.Is(err, atomicfile.ErrNotRegular) {
		if damage := (*atomicfile.Damage)(nil); errors.As(atomicfile.SetAside(path, err), &damage) && damage.Aside == "" {
			return nil, damage
		} else if damage != nil {
			report.Of(damage, "it is a lock, and is made again")
		}
		f, err = openRegular(path, flags)
	}
	return f, err
}

func openRegular(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return nil, atomicfile.ErrNotRegular
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = atomicfile.ErrNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func isAt(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	at, err := os.Lstat(path)
	return err == nil && os.SameFile(have, at)
}

// TryDir locks a folder itself, which needs no file in it that somebody could remove; nil: another has it. A link to a folder
// is that folder.
func TryDir(dir string) (*Lock, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	for err == nil {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return &Lock{f}, nil
		}
		if !errors.Is(err, unix.EINTR) {
			break
		}
		err = nil
	}
	if f != nil {
		_ = f.Close()
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
}

// Remove takes the file of a lock away that is held: who waits for it makes another one.
func (l *Lock) Remove() {
	if l != nil {
		_ = os.Remove(l.f.Name())
	}
}

// Close gives the lock back. nil is closed.
func (l *Lock) Close() {
	if l != nil {
		_ = l.f.Close() // nothing was written
	}
}

// Holder is the process that holds a lock on a file, 0 if nobody does or nobody can tell: what runs in a PID namespace
// that this process does not see has no number.
func Holder(path string) int {
	at, err := os.Stat(path)
	if err != nil {
		return 0
	}
	st, ok := at.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	// man 5 proc_locks: 1: FLOCK ADVISORY WRITE 1234 00:1a:567 0 EOF. The device is not compared, as several file systems
	// show another one to stat(2).
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	inode := ":" + strconv.FormatUint(st.Ino, 10)
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], inode) {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 && hasOpen(pid, at) {
			return pid
		}
	}
	return 0
}

func hasOpen(pid int, file fs.FileInfo) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if info, err := os.Stat(link); err == nil && os.SameFile(info, file) {
			return true
		}
	}
	return false
}

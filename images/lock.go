package images

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile waits for the exclusive lock of file; the kernel gives it back when a process dies.
func lockFile(file string) (unlock func(), err error) {
	unlock, _, err = flock(file, unix.LOCK_EX)
	return unlock, err
}

// flock locks file; ok is false when another holds it and how has LOCK_NB.
func flock(file string, how int) (unlock func(), ok bool, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("cannot lock the image store: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return func() { _ = f.Close() }, true, nil // closing an unwritten file has nothing to lose
	}
	if cerr := f.Close(); cerr != nil {
		err = errors.Join(err, cerr)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return func() {}, false, nil
	}
	return nil, false, fmt.Errorf("cannot lock the image store: %w", err)
}

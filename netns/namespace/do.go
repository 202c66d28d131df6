package namespace

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Do runs fn on an OS thread that is inside the network namespace at nsPath, and nowhere else:
// goroutines that fn starts run in the namespace of the process.
func Do(nsPath string, fn func() error) error {
	ns, err := os.Open(nsPath)
	if err != nil {
		return fmt.Errorf("cannot open network namespace: %w", err)
	}
	defer ns.Close()
	return OnThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot enter network namespace %s: %w", nsPath, err)
		}
		return fn()
	}, unix.CLONE_NEWNET)
}

// OnThread runs fn on a thread of its own and afterwards puts the thread back into the
// namespaces of the given kinds that it had before. A thread that cannot be put back is not
// used again: the runtime ends a thread whose goroutine ends locked.
func OnThread(fn func() error, kinds int) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		before, err := openOwn(kinds)
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		err = fn()
		if before.restore() {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// shortWork bounds the threads that wait in the kernel at a time: making network namespaces takes
// turns there anyhow, and a thread once started stays with the process.
var shortWork = make(chan struct{}, 4)

// OnThreadSoon is onThread for work that does not last.
func OnThreadSoon(fn func() error, kinds int) error {
	shortWork <- struct{}{}
	defer func() { <-shortWork }()
	return OnThread(fn, kinds)
}

// own are open namespaces of a thread.
type own []ownNS

type ownNS struct {
	kind int
	fd   int
}

func openOwn(kinds int) (own, error) {
	var o own
	for _, k := range allKinds {
		if kinds&k.flag == 0 {
			continue
		}
		fd, err := unix.Open(k.self(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			o.restore()
			return nil, fmt.Errorf("cannot open own %s namespace: %w", k.name, err)
		}
		o = append(o, ownNS{kind: k.flag, fd: fd})
	}
	return o, nil
}

// restore puts the calling thread back and closes the descriptors.
func (o own) restore() bool {
	ok := true
	for _, ns := range o {
		if err := unix.Setns(ns.fd, ns.kind); err != nil {
			ok = false
		}
		unix.Close(ns.fd)
	}
	return ok
}

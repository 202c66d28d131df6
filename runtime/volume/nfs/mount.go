package nfs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How long podd waits.
const (
	// patience is how long an operation of a pod waits for a mount that goes on without it.
	patience = 5 * time.Second
	// deadline ends a mount: a server that has not answered by then is asked anew.
	deadline = time.Minute
)

// Mounter mounts shares. The zero value works.
type Mounter struct {
	// Ended is told that a mount of which Mount has said that it goes on has come to its end; nil: nobody is. It is called in a
	// goroutine of its own.
	Ended func(target string)

	mu   sync.Mutex
	jobs map[string]*job // by the target
}

// job is a mount that goes on, or has failed since anybody waited for it.
type job struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
	left   bool  // nobody waits for it; under mu
}

// Mount mounts a share at target, an empty folder, unless it is there already. If that takes long, it goes on after an error
// that wraps ErrNoAnswer, and a later call for the same target tells what has come of it.
func (m *Mounter) Mount(target string, s *Share) error {
	m.mu.Lock()
	j := m.jobs[target]
	begun := j == nil
	if begun {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		j = &job{cancel: cancel, done: make(chan struct{})}
		if m.jobs == nil {
			m.jobs = map[string]*job{}
		}
		m.jobs[target] = j
		go m.run(ctx, j, target, s)
	}
	m.mu.Unlock()
	wait := patience
	if !begun {
		wait = 0
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-j.done:
		if m.jobs[target] == j {
			delete(m.jobs, target)
		}
		return j.err
	default:
		j.left = true
		return &mountError{s.Source(), fmt.Errorf("%w; it is waited for", ErrNoAnswer)}
	}
}

func (m *Mounter) run(ctx context.Context, j *job, target string, s *Share) {
	err := mountOnce(ctx, target, s)
	if err != nil && ctx.Err() != nil {
		err = unix.ETIMEDOUT
	}
	if err != nil {
		err = &mountError{s.Source(), err}
	}
	j.cancel()
	m.mu.Lock()
	j.err = err
	close(j.done)
	left := j.left
	m.mu.Unlock()
	if left && m.Ended != nil {
		m.Ended(target)
	}
}

// cancel ends a mount that goes on, and waits for its end a little.
func (m *Mounter) cancel(target string) {
	m.mu.Lock()
	j := m.jobs[target]
	delete(m.jobs, target)
	if j != nil {
		j.left = false
	}
	m.mu.Unlock()
	if j == nil {
		return
	}
	j.cancel()
	select {
	case <-j.done:
	case <-time.After(2 * grace):
	}
}

// errGoesOn says that a process of an earlier podd is at the same mount.
var errGoesOn = errors.New("an earlier mount has not ended yet")

// mountOnce mounts a share with the first version and address that do. A file beside the target is locked for it, also by the
// process that mounts: it may outlive podd by a moment, and the next podd must not mount a second time.
func mountOnce(ctx context.Context, target string, s *Share) error {
	o, _, err := parse(s.Options)
	if err != nil {
		return err
	}
	if s.ReadOnly {
		o.flags |= unix.MS_RDONLY
	}
	lock, err := os.OpenFile(lockOf(target), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errGoesOn
	} else if err != nil {
		return err
	}
	if mounted, err := mountsAt(target); err != nil || len(mounted) > 0 {
		return err
	}
	n := negotiation{o: o, resolve: resolve, statd: hasStatd, mount: func(ctx context.Context, data string) error {
		return callMount(ctx, lock, s.Source(), target, o.flags, data)
	}}
	return n.run(ctx, s.Server)
}

// lockOf names the file; no volume may be named so.
func lockOf(target string) string {
	return filepath.Join(filepath.Dir(target), ".mount-"+filepath.Base(target))
}

// negotiation finds the version and the address that a server takes.
type negotiation struct {
	o       *options
	resolve func(ctx context.Context, server, proto string) ([]netip.Addr, error)
	statd   func(context.Context) bool
	mount   func(ctx context.Context, data string) error
}

func (n *negotiation) run(ctx context.Context, server string) error {
	addrs, err := n.resolve(ctx, server, n.o.proto)
	if err != nil {
		return err
	}
	var of4 error
	for v := n.o.first(); ; {
		err := n.tryAll(ctx, v, addrs)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if v.major == 3 {
			return worse(of4, err)
		}
		next, more := n.o.next(v, err)
		if !more {
			return err
		}
		v, of4 = next, err
	}
}

// tryAll tries one version with each of the addresses.
func (n *negotiation) tryAll(ctx context.Context, v version, addrs []netip.Addr) error {
	if v.major == 3 && !n.o.localLocks && !n.statd(ctx) {
		return errNoStatd
	}
	var err error
	for _, addr := range addrs {
		var data string
		if data, err = n.o.data(ctx, v, addr); err == nil {
			err = n.mount(ctx, data)
		}
		if err == nil || !tryNextAddress(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

package hostfile

import (
	"errors"
	"sync"
	"time"
)

// ErrHangs says that a file system has not answered for as long as anybody waits for it: a server of NFS that is away, a
// FUSE that hangs, a card that fails.
var ErrHangs = errors.New("its file system does not answer")

// Guard does what a file system may never answer to: each piece of work in a goroutine of its own, for whose end a caller
// waits only so long. Work that hangs is left behind, and none of the same key is begun until it returns; so what hangs
// costs one goroutine, with the kernel's thread below it, however often it is tried. The zero value, and nil, wait for ever.
type Guard struct {
	Patience time.Duration // how long a caller waits
	Most     int           // pieces of work that may be left behind; with so many, nothing else is begun
	Returned func(key string)

	mu    sync.Mutex
	stuck map[string]bool
}

// Do runs work and returns what it returns, or ErrHangs. What was left behind and returns at last is not looked at;
// Returned is called instead, in the goroutine of the work: it is to be tried again then.
func Do[T any](g *Guard, key string, work func() T) (T, error) {
	var none T
	value := new(T)
	if err := g.do(key, func() { *value = work() }); err != nil {
		return none, err
	}
	return *value, nil
}

// do is Do of any type: work keeps what it returns, which is not looked at after an error.
func (g *Guard) do(key string, work func()) error {
	if g == nil || g.Patience == 0 {
		work()
		return nil
	}
	g.mu.Lock()
	hangs := g.stuck[key] || len(g.stuck) >= g.Most
	g.mu.Unlock()
	if hangs {
		return ErrHangs
	}
	done := make(chan struct{})
	var left bool // under mu
	go func() {
		work()
		g.mu.Lock()
		close(done)
		late := left
		if late {
			delete(g.stuck, key)
		}
		g.mu.Unlock()
		if late && g.Returned != nil {
			g.Returned(key)
		}
	}()
	timer := time.NewTimer(g.Patience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-done: // in the last moment
		return nil
	default:
	}
	left = true
	if g.stuck == nil {
		g.stuck = map[string]bool{}
	}
	g.stuck[key] = true
	return ErrHangs
}

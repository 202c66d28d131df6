package runtime

import "sync"

// background does one piece of work after another away from the loop: a disk may be slow, and what is written about
// one thing must be written in its order. At rest there is no goroutine.
type background struct {
	mu      sync.Mutex
	queue   []func()
	running bool
	done    sync.WaitGroup
}

// do queues a piece of work.
func (b *background) do(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, fn)
	if !b.running {
		b.running = true
		b.done.Go(b.run)
	}
}

func (b *background) run() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.queue, b.running = nil, false
			b.mu.Unlock()
			return
		}
		fn := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		fn()
	}
}

// wait returns when all that was queued is done.
func (b *background) wait() { b.done.Wait() }

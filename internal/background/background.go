// Package background does work away from whoever asks for it: a disk or the kernel may be slow.
package background

import "sync"

// Queue does one piece of work after another, in the order of the calls: what is written about one thing must be written
// in its order. At rest there is no goroutine. The zero Queue is empty.
type Queue struct {
	mu      sync.Mutex
	work    []func()
	running bool
	done    sync.WaitGroup
}

// Do queues a piece of work.
func (q *Queue) Do(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work = append(q.work, fn)
	if !q.running {
		q.running = true
		q.done.Go(q.run)
	}
}

func (q *Queue) run() {
	for {
		q.mu.Lock()
		if len(q.work) == 0 {
			q.work, q.running = nil, false
			q.mu.Unlock()
			return
		}
		fn := q.work[0]
		q.work = q.work[1:]
		q.mu.Unlock()
		fn()
	}
}

// Wait returns when all that was queued is done.
func (q *Queue) Wait() { q.done.Wait() }

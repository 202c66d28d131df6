package registry

import (
	"context"
	"sync"
	"time"
)

// limiter holds all pulls together to a rate. A nil limiter does not.
type limiter struct {
	rate func() int64 // bytes per second; 0: none
	mu   sync.Mutex
	next time.Time // when the bytes that were read so far are paid for
}

// ask waits for the turn of the next bytes, and says how many they may be.
func (l *limiter) ask(ctx context.Context, p []byte) ([]byte, error) {
	rate := l.now()
	if rate == 0 {
		return p, nil
	}
	if most := max(rate/8, 512); int64(len(p)) > most {
		p = p[:most]
	}
	l.mu.Lock()
	wait := time.Until(l.next)
	l.mu.Unlock()
	return p, sleep(ctx, wait)
}

// took accounts for bytes that were read.
func (l *limiter) took(n int) {
	rate := l.now()
	if rate == 0 {
		return
	}
	cost := time.Duration(float64(n) / float64(rate) * float64(time.Second))
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(cost)
}

func (l *limiter) now() int64 {
	if l == nil || l.rate == nil {
		return 0
	}
	return max(l.rate(), 0)
}

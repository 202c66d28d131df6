package layer

import (
	"bufio"
	"context"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// decoding is what all layers that are unpacked at the same time may take for their decoders, in bytes. Whatever a registry
// sends, the board keeps its memory for the pods: a layer waits until there is some.
const (
	decoding = 34 << 20
	// usualWindow is that of zstd without further wishes; no decoder gets less, as later frames may have it.
	usualWindow = 8 << 20
	smallWindow = 1 << 20 // more than gzip's, and than what is not compressed needs
	// smalls is what layers may take beside that need no more than smallWindow: these do not wait for a large one that a slow
	// registry holds up.
	smalls = 6 << 20
)

// Memory is implemented by the reader of a plain tar that decompresses parts of it, and says what its decoders take at most, in
// bytes. It is not read before there is so much.
type Memory interface{ Memory() int64 }

// budget hands out memory in the order of asking. Its zero value has none.
type budget struct {
	mu    sync.Mutex
	left  int64
	queue []*claim
}

type claim struct {
	n    int64
	have chan struct{}
}

var decoders, smallDecoders = budget{left: decoding}, budget{left: smalls}

// decodersOf is the budget that a need is taken from.
func decodersOf(need int64) *budget {
	if need <= smallWindow {
		return &smallDecoders
	}
	return &decoders
}

// take waits for n bytes.
func (b *budget) take(ctx context.Context, n int64) (release func(), err error) {
	c := &claim{n, make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, c)
	b.serve()
	b.mu.Unlock()
	release = sync.OnceFunc(func() { b.give(n) })
	select {
	case <-c.have:
		return release, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	waiting := false
	for i, q := range b.queue {
		if q == c {
			b.queue, waiting = append(b.queue[:i:i], b.queue[i+1:]...), true
			b.serve() // who comes after may need less
			break
		}
	}
	b.mu.Unlock()
	if !waiting {
		release() // it came at the same moment
	}
	return nil, context.Cause(ctx)
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
	b.serve()
}

func (b *budget) serve() {
	for len(b.queue) > 0 && b.queue[0].n <= b.left {
		b.left -= b.queue[0].n
		close(b.queue[0].have)
		b.queue = b.queue[1:]
	}
}

// windowOf says how much memory the decoder of a blob takes, by its first bytes; at most what the budget has.
func windowOf(r *bufio.Reader) int64 {
	head, _ := r.Peek(zstd.HeaderMaxSize) // an error shows again when it is read
	if c, _ := detect(head); c != zstandard {
		return smallWindow
	}
	window := int64(usualWindow)
	var h zstd.Header
	if h.Decode(head) == nil && !h.Skippable {
		size := h.WindowSize
		if h.SingleSegment {
			size = h.FrameContentSize
		}
		window = max(window, int64(min(size, maxZstdWindow)))
	}
	return min(window+smallWindow, decoding)
}

package layer

import (
	"hash"
	"io"
	"runtime"
	"sync"
)

// Read-ahead of one layer: a quarter of a MiB in all.
const (
	PumpChunk  = 64 << 10
	pumpChunks = 4
)

// pump reads ahead on a goroutine of its own, so that inflating and writing a layer use two cores.
type pump struct {
	full chan []byte // filled chunks, closed at the end
	free chan []byte
	stop chan struct{}
	once sync.Once
	err  error     // why full was closed; io.EOF is the good end
	hash hash.Hash // of all that was read from the pump; nil: nobody wants it
	size int64
	cur  []byte // what is left of the chunk being read
	head []byte // that chunk's memory
}

// newPump starts to read r. The caller must close it.
func newPump(r io.Reader, h hash.Hash) *pump {
	p := &pump{full: make(chan []byte, pumpChunks), free: make(chan []byte, pumpChunks), stop: make(chan struct{}), hash: h}
	memory := make([]byte, pumpChunks*PumpChunk)
	for i := range pumpChunks {
		p.free <- memory[i*PumpChunk : (i+1)*PumpChunk : (i+1)*PumpChunk]
	}
	go p.run(r)
	return p
}

func (p *pump) run(r io.Reader) {
	defer close(p.full)
	for {
		var buf []byte
		select {
		case <-p.stop:
			return
		case buf = <-p.free:
		}
		n, err := fill(r, buf[:PumpChunk])
		runtime.Gosched() // probes and pods first: else they wait until the scheduler takes the processor away, 10 ms
		if n > 0 {
			p.full <- buf[:n]
		}
		if err != nil {
			p.err = err
			return
		}
	}
}

// fill is io.ReadFull without its verdict on a short read.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func (p *pump) Read(b []byte) (int, error) {
	if len(p.cur) == 0 {
		if p.head != nil {
			p.free <- p.head
			p.head = nil
		}
		chunk, ok := <-p.full
		if !ok {
			return 0, p.err
		}
		if p.hash != nil {
			_, _ = p.hash.Write(chunk) // never fails (hash.Hash)
		}
		runtime.Gosched()
		p.cur, p.head = chunk, chunk[:0]
		p.size += int64(len(chunk))
	}
	n := copy(b, p.cur)
	p.cur = p.cur[n:]
	return n, nil
}

// close ends the reading; after it nothing reads from the source any more.
func (p *pump) close() {
	p.once.Do(func() { close(p.stop) })
	for range p.full { // waits for the goroutine to end
	}
}

package daemon

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// gcPercent while podd works: what a burst leaves is given back when it is over.
	gcPercent = 100
	// heapLimit bounds the heap while podd works, in bytes.
	heapLimit = 24 << 20
	// restGrowth is how much may be allocated at rest, in bytes, before the collector runs: probes go on unseen by
	// the loop as long as they find nothing new.
	restGrowth = 2 << 20
)

// unpackGrowth is what layers that are unpacked may take beside (package layer: decoding), in bytes. Below it the collector
// would run all the time.
const unpackGrowth = 64 << 20

// heap is this process's.
var heap heapPacer

// heapPacer decides when Go's collector runs.
type heapPacer struct {
	mu        sync.Mutex
	unpacking int // images that are on their way into the store
	resting   bool
}

// work says that podd has something to do.
func (h *heapPacer) work() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resting = false
	h.apply()
}

// rest says that a burst of work is over.
func (h *heapPacer) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resting = true
	h.apply()
}

// unpack says that one more image is loaded or pulled (1), or one less (-1). The loop may be at rest meanwhile.
func (h *heapPacer) unpack(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unpacking += change
	if h.unpacking > 0 {
		h.apply()
		return
	}
	go h.settle() // nobody has to wait for it
}

// settle looks again at what is to be done with the heap.
func (h *heapPacer) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unpacking == 0 && !h.resting {
		debug.FreeOSMemory()
	}
	h.apply()
}

func (h *heapPacer) apply() {
	limit, percent := int64(heapLimit), gcPercent
	switch {
	case h.unpacking > 0:
		limit += unpackGrowth
	case h.resting:
		// Otherwise the collector wakes up every two minutes to look at a heap that nobody has touched. It runs all the same when
		// the heap has grown.
		trimMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		limit, percent = min(int64(m.Sys-m.HeapReleased)+restGrowth, limit), -1
	}
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(percent)
}

// trimMemory gives back what a burst of work has left: free heap, and the pages of the program itself. These
// stay in the page cache, from which they are mapped again when they are needed; until then the kernel may
// take them without having to find out first who uses them.
func trimMemory() {
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range parseProgramMappings(f, exe) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// parseProgramMappings finds the parts of the program that hold nothing but the file's own content. A part
// that was relocated at start has anonymous pages, which must not be dropped: the file has other content
// there. man 5 proc, /proc/pid/smaps.
func parseProgramMappings(smaps io.Reader, exe string) []mapping {
	var list []mapping
	var current mapping
	candidate := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 5 && !strings.HasSuffix(fields[0], ":") {
			current, candidate = parseMapping(fields, exe)
			continue
		}
		if candidate && len(fields) >= 2 && fields[0] == "Anonymous:" {
			if fields[1] == "0" {
				list = append(list, current)
			}
			candidate = false
		}
	}
	return list
}

func parseMapping(fields []string, exe string) (mapping, bool) {
	low, high, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(low, 16, 64)
	if err != nil {
		return mapping{}, false
	}
	end, err := strconv.ParseUint(high, 16, 64)
	if err != nil {
		return mapping{}, false
	}
	readOnly := !strings.Contains(fields[1], "w")
	return mapping{uintptr(start), uintptr(end)}, readOnly && len(fields) == 6 && fields[5] == exe
}

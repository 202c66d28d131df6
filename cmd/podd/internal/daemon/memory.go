package daemon

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

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

func limitHeap() { collectGarbage() }

// pullGrowth is what layers that are unpacked may take beside (package layer: decoding), in bytes. Below it the collector would
// run all the time.
const pullGrowth = 64 << 20

// pulls are those under way.
var pulls atomic.Int32

// pulling says that an image is being pulled (1), or was (-1).
func pulling(change int32) {
	pulls.Add(change)
	collectGarbage()
}

// collectGarbage lets the collector run again after a rest.
func collectGarbage() {
	limit := int64(heapLimit)
	if pulls.Load() > 0 {
		limit += pullGrowth
	}
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(gcPercent)
}

// restMemory gives memory back and stops the collector, which otherwise wakes up every two minutes to look at
// a heap that nobody has touched. It runs all the same when the heap has grown.
func restMemory() {
	trimMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetMemoryLimit(min(int64(m.Sys-m.HeapReleased)+restGrowth, heapLimit))
	debug.SetGCPercent(-1)
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

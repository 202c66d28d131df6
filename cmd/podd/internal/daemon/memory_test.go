package daemon

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestParseProgramMappings(t *testing.T) {
	const smaps = `00400000-00401000 r--p 00000000 fe:00 77 /usr/bin/podd
Rss:                   4 kB
Anonymous:             0 kB
00401000-00a00000 r-xp 00001000 fe:00 77 /usr/bin/podd
Anonymous:             0 kB
00a00000-00a10000 r--p 00600000 fe:00 77 /usr/bin/podd
Anonymous:            64 kB
00a10000-00a20000 rw-p 00610000 fe:00 77 /usr/bin/podd
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 78 /usr/lib/other
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 00:00 0
Anonymous:             0 kB
`
	got := parseProgramMappings(strings.NewReader(smaps), "/usr/bin/podd")
	want := []mapping{{0x400000, 0x401000}, {0x401000, 0xa00000}}
	if !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestTrimMemory: a program goes on after its pages were dropped, and has fewer of them.
func TestTrimMemory(t *testing.T) {
	trimMemory()
	data, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil || !strings.Contains(string(data), "Pss_File:") {
		t.Skipf("this kernel does not sum a process's memory up: %v", err)
	}
}

// While an image is unpacked the collector has the room of one, also when the loop is at rest: else it ran for each 2 MiB that
// are allocated.
func TestCollectorWhileUnpacking(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(gcPercent)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	set := func() (int64, int) {
		percent := debug.SetGCPercent(gcPercent)
		debug.SetGCPercent(percent)
		return debug.SetMemoryLimit(-1), percent
	}
	var h heapPacer
	check := func(when string, least, most int64, wantPercent int) {
		t.Helper()
		if limit, percent := set(); limit < least || limit > most || percent != wantPercent {
			t.Errorf("%s: a limit of %d, %d %%", when, limit, percent)
		}
	}
	h.work()
	check("at work", heapLimit, heapLimit, gcPercent)
	h.rest()
	check("at rest", 1, heapLimit, -1)
	h.unpack(1)
	check("unpacking", heapLimit+unpackGrowth, heapLimit+unpackGrowth, gcPercent)
	h.unpack(1)
	h.work()
	h.rest()
	check("unpacking two", heapLimit+unpackGrowth, heapLimit+unpackGrowth, gcPercent)
	h.unpack(-1)
	check("unpacking one of two", heapLimit+unpackGrowth, heapLimit+unpackGrowth, gcPercent)
	h.unpack(-1)
	h.settle()
	check("at rest again", 1, heapLimit, -1)
	h.work()
	check("at work again", heapLimit, heapLimit, gcPercent)
}

package main

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// The first thread is main's alone: whoever needs a thread to leave somewhere, as libcontainer does in the mount namespaces of
// containers, gets another one.
func TestFirstThreadIsKept(t *testing.T) {
	const threads = 100
	var all, there sync.WaitGroup
	there.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if syscall.Gettid() == syscall.Getpid() {
				t.Error("a goroutine runs on the first thread")
			}
			there.Done()
			there.Wait() // all at once, each on a thread of its own
		})
	}
	all.Wait()
}

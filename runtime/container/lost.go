package container

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
)

// exiting is PF_EXITING of include/linux/sched.h: the process is dead, or will be at once.
const exiting = 0x4

// ReapLost waits for processes of podd's that were to become a command in a container which died at that moment. Where
// libcontainer is told so by the first of its processes, it does not learn the numbers of the others, whose parent is podd.
// The kernel lets the first process of a PID namespace end only after all others have been waited for.
func (e *Engine) ReapLost() {
	// One that could not execute its command looks like a lost one, and has an exit code that counts.
	inits := map[int]bool{}
	e.inits.Range(func(_, pid any) bool {
		inits[pid.(int)] = true
		return true
	})
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := process.ReadStat("/proc", pid)
		if err != nil || stat.Parent != os.Getpid() || stat.Flags&forkNoExec == 0 || !strings.HasPrefix(stat.Name, "runc:[") {
			continue
		}
		if _, awaited := e.execs.Load(pid); awaited || inits[pid] || stat.State != 'Z' && stat.Flags&exiting == 0 {
			continue
		}
		_, _ = unix.Wait4(pid, nil, 0, nil) // none of them has threads or children that it could wait for
	}
}

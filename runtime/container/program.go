package container

import (
	"os"
	"strconv"
	"time"

	"podd/runtime/container/process"
)

// forkNoExec is set on a process that has not executed a program since it was forked (PF_FORKNOEXEC,
// linux/sched.h). libcontainer's init forks last and executes the container's program then: it has the flag until
// that moment.
const forkNoExec = 0x40

// isInit says whether a process is still podd's own init.
func isInit(pid int) bool {
	stat, err := process.ReadStat("/proc", pid)
	return err == nil && stat.Flags&forkNoExec != 0 && stat.State != 'Z'
}

// programLimit ends the wait for a program that the disk does not give: what follows must not wait for ever.
const programLimit = 10 * time.Second

// awaitProgram returns when the first process of a container that this engine has started is its program, or dead.
// libcontainer lets its init go and does not look how far it gets; until it has executed the program, /proc/1 is
// closed to the container's other processes, and a hook that writes to /proc/1/fd/1 fails.
func (e *Engine) awaitProgram(id string) {
	pid, ok := e.fresh.Load(id)
	if !ok {
		return
	}
	const shortest, longest = 50 * time.Microsecond, 2 * time.Millisecond
	deadline := time.Now().Add(programLimit)
	for wait := shortest; isInit(pid.(int)) && time.Now().Before(deadline); wait = min(2*wait, longest) {
		time.Sleep(wait)
	}
	// The kernel clears the flag in the middle of execve. Who asks for this file waits for the end of it
	// (exec_update_lock, lock_trace in fs/proc/base.c); what it says does not matter.
	_, _ = os.ReadFile("/proc/" + strconv.Itoa(pid.(int)) + "/personality")
	e.fresh.Delete(id)
}

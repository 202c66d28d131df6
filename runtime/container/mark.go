package container

import (
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"podd/runtime/container/process"
)

// probeMark names the standard input of probes' commands, by which a later daemon knows them.
const probeMark = "podd-probe"

// ProbeInput is an empty file for the standard input of probes' commands. It is one for all of them.
var ProbeInput = sync.OnceValues(func() (*os.File, error) {
	fd, err := unix.MemfdCreate(probeMark, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make an empty file: %w", err)
	}
	f := os.NewFile(uintptr(fd), probeMark)
	// Nobody can put anything into it for the others to read.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		closeFile(f)
		return nil, fmt.Errorf("cannot seal an empty file: %w", err)
	}
	return f, nil
})

// KillProbes ends the commands of probes that a dead daemon has left in a container: nobody waits for them any more.
func (e *Engine) KillProbes(id string) error {
	lc, err := e.stateFiles().load(id)
	if err != nil {
		return err
	}
	pids, err := lc.Processes()
	if err != nil {
		return fmt.Errorf("cannot list the processes of container %s: %w", id, err)
	}
	for _, pid := range pids {
		stat, err := process.ReadStat("/proc", pid)
		// What a probe has started has its mark too; the command itself is no child of anybody in the container.
		if err != nil || slices.Contains(pids, stat.Parent) || !marked(pid) {
			continue
		}
		for _, v := range process.Descendants("/proc", pids, pid) {
			if err := v.Kill(); err != nil {
				return err
			}
		}
	}
	return nil
}

func marked(pid int) bool {
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid))
	return err == nil && target == "/memfd:"+probeMark+" (deleted)"
}

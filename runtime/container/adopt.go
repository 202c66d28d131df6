package container

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runc/libcontainer"

	"podd/runtime/container/process"
)

// Found is what an earlier daemon left of a container.
type Found struct {
	PID       int
	StartTime uint64
	Started   bool     // its command was run; otherwise its first process still waits for the word to begin
	PIDFD     *os.File // nil when the process is gone
}

// Find looks a container up in the state folder. A nil Found says that libcontainer never got as far as
// writing its state.
func (e *Engine) Find(id string) (*Found, error) {
	c, err := e.stateFiles().load(id)
	if errors.Is(err, libcontainer.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := c.State()
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of container %s: %w", id, err)
	}
	f := &Found{PID: state.InitProcessPid, StartTime: state.InitProcessStartTime, Started: true}
	// The FIFO that holds the init back is removed only after it was let go.
	if _, err := os.Lstat(filepath.Join(e.StateDir, id, "exec.fifo")); err == nil && isInit(f.PID) {
		f.Started = false
	}
	f.PIDFD = process.Open(f.PID, f.StartTime)
	return f, nil
}

// CgroupLost names a cgroup that a container was started in and that is not there any more, "" if there is none: it cannot
// have been removed while it had processes, so that they are elsewhere now.
func (e *Engine) CgroupLost(id string) (string, error) {
	c, err := e.stateFiles().load(id)
	if err != nil {
		return "", err
	}
	state, err := c.State()
	if err != nil {
		return "", fmt.Errorf("cannot read the state of container %s: %w", id, err)
	}
	for _, dir := range slices.Sorted(maps.Values(state.CgroupPaths)) {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, nil
		}
	}
	return "", nil
}

// AnyRuns says whether a process of an earlier daemon's containers is alive: as the time of its start is compared, too, it is of
// this boot.
func (e *Engine) AnyRuns() bool {
	ids, _ := e.IDs()
	for _, id := range ids {
		if found, err := e.Find(id); err == nil && found != nil && found.PIDFD != nil {
			_ = found.PIDFD.Close()
			return true
		}
	}
	return false
}

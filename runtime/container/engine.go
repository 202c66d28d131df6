// Package container runs containers through libcontainer: start, exec, signal, wait, and adopt after the daemon has died.
// What a container is to be, package spec says.
package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/runc/libcontainer"

	"podd/internal/atomicfile"
	"podd/runtime/container/lsm"
	"podd/runtime/container/seccomp"
)

// Engine runs containers. Its folders are its memory: what a container is can be read back from them after
// the daemon has died.
type Engine struct {
	StateDir string // libcontainer's state, on tmpfs
	IODir    string // FIFOs and log spools, on tmpfs
	RootDir  string // overlay folders, on disk
	MountDir string // where the overlays are mounted, on tmpfs
	// BaseLayer lies below every image: the mount points that an image may lack, so that none has to be made
	// in the writable layer.
	BaseLayer string
	Views     Views
	// Seccomp has the node's profiles.
	Seccomp seccomp.Profiles
	// Modules are the kernel's security modules.
	Modules lsm.Machine
	// RemoveTree removes a folder with whatever a container has made in it.
	RemoveTree func(dir string) error
	// fresh has the first process of each container into which nothing was executed yet.
	fresh sync.Map
	// execs has the processes of commands that somebody waits for.
	execs sync.Map
	// inits has the number of each container's first process, by id: whoever watches over the container waits for it.
	inits sync.Map
	// states has the version of each container's state that was found to be what was written.
	states     sync.Map
	deviceLock sync.Mutex // of the nodes and rules of all containers' devices
	// Damaged is told of state that was set aside; nil: nobody is.
	Damaged atomicfile.Report
}

// IO names the folder of a container's FIFOs.
func (e *Engine) IO(id string) string { return filepath.Join(e.IODir, id) }

// IDs lists the containers that have left anything in the state folder.
func (e *Engine) IDs() ([]string, error) {
	seen := map[string]bool{}
	var ids []string
	for _, dir := range []string{e.StateDir, e.IODir, e.RootDir, e.MountDir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot list containers: %w", err)
		}
		for _, entry := range entries {
			if !seen[entry.Name()] {
				seen[entry.Name()] = true
				ids = append(ids, entry.Name())
			}
		}
	}
	return ids, nil
}

// Remove takes away all that a dead container left: processes that share its cgroup, the cgroup, the root
// and the state. What is gone already counts as removed.
func (e *Engine) Remove(id string) error {
	if err := e.RemoveState(id); err != nil {
		return err
	}
	return e.RemoveRoot(id)
}

func (e *Engine) RemoveState(id string) error {
	e.fresh.Delete(id)
	e.inits.Delete(id)
	defer e.states.Delete(id)
	c, err := e.stateFiles().load(id)
	if errors.Is(err, libcontainer.ErrNotExist) {
		// Killed before libcontainer had written its state: an empty folder at most.
		return os.RemoveAll(filepath.Join(e.StateDir, id))
	}
	if err != nil {
		return err
	}
	err = c.Destroy()
	if errors.Is(err, libcontainer.ErrRunning) {
		// A start that failed half-way has left its process.
		if err := e.Kill(id); err != nil {
			return err
		}
		err = c.Destroy()
	}
	if err != nil {
		return fmt.Errorf("cannot remove container %s: %w", id, err)
	}
	return nil
}

// Discard ends and removes an attempt that does not count.
func (e *Engine) Discard(id string) error {
	return errors.Join(e.Kill(id), e.RemoveState(id), e.RemoveRoot(id), e.RemoveIO(id))
}

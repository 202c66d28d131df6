package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/opencontainers/runc/libcontainer"

	"podd/internal/atomicfile"
)

// stateFiles are libcontainer's files of state, and copies of them.
type stateFiles struct{ e *Engine }

func (e *Engine) stateFiles() stateFiles { return stateFiles{e} }

// libcontainer writes stateFile while a container starts, and believes what is in it: it dereferences what is not there. The
// copy is podd's own, with a checksum before it. What is loaded is what was written when the container was started.
const (
	stateFile = "state.json"
	stateCopy = "state.copy"
)

// maxState is more than the state of a container has, in bytes.
const maxState = 4 << 20

// stateStamp tells one version of a file from another.
type stateStamp struct {
	inode        uint64
	size         int64
	sec, nanosec int64
}

// load reads a container from the state folder. libcontainer.ErrNotExist: it never got as far as having a
// state, or what is there could not be believed and was set aside.
func (sf stateFiles) load(id string) (*libcontainer.Container, error) {
	err := sf.checkState(id)
	var c *libcontainer.Container
	if err == nil {
		c, err = libcontainer.Load(sf.e.StateDir, id)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot load container %s: %w", id, err)
	}
	return c, nil
}

// checkState puts the state of a container in order before libcontainer reads it.
func (sf stateFiles) checkState(id string) error {
	path := filepath.Join(sf.e.StateDir, id, stateFile)
	stamp, err := stampOfState(path)
	if have, ok := sf.e.states.Load(id); err == nil && ok && have == stamp {
		return nil
	}
	state, err := atomicfile.Read(path, maxState)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		sf.e.Damaged.Of(atomicfile.SetAside(path, err), "it is put back from its copy")
	}
	kept, keptErr := sf.readCopy(id)
	switch {
	case keptErr == nil && err == nil && bytes.Equal(state, kept):
	case keptErr == nil:
		if err == nil {
			sf.e.Damaged.Of(atomicfile.SetAside(path, errors.New("it is not what was written at the start of the container")), "it is put back from its copy")
		}
		if err := atomicfile.Write(path, kept, 0o600); err != nil {
			return fmt.Errorf("cannot put back the state: %w", err)
		}
	case err != nil:
		return libcontainer.ErrNotExist
	default:
		// The daemon died before it had made the copy, or an earlier podd made none.
		if err := plausibleState(state, id); err != nil {
			sf.e.Damaged.Of(atomicfile.SetAside(path, err), "no command can be run in container "+id+" until it starts again")
			return libcontainer.ErrNotExist
		}
		if err := sf.writeCopy(id, state); err != nil {
			return err
		}
	}
	if stamp, err = stampOfState(path); err == nil {
		sf.e.states.Store(id, stamp)
	}
	return nil
}

// copyState keeps a copy of the state that libcontainer has just written.
func (sf stateFiles) copyState(id string) error {
	path := filepath.Join(sf.e.StateDir, id, stateFile)
	state, err := atomicfile.Read(path, maxState)
	if err != nil {
		return fmt.Errorf("cannot read the state of container %s: %w", id, err)
	}
	if err := sf.writeCopy(id, state); err != nil {
		return err
	}
	if stamp, err := stampOfState(path); err == nil {
		sf.e.states.Store(id, stamp)
	}
	return nil
}

func (sf stateFiles) writeCopy(id string, state []byte) error {
	text := append(fmt.Appendf(nil, "%08x\n", checksum(state)), state...)
	if err := atomicfile.Write(filepath.Join(sf.e.StateDir, id, stateCopy), text, 0o600); err != nil {
		return fmt.Errorf("cannot keep a copy of the state of container %s: %w", id, err)
	}
	return nil
}

// readCopy reads the state out of its copy. A damaged copy is set aside.
func (sf stateFiles) readCopy(id string) (state []byte, err error) {
	err = atomicfile.Load(filepath.Join(sf.e.StateDir, id, stateCopy), maxState, func(data []byte) error {
		sum, rest, found := bytes.Cut(data, []byte("\n"))
		want, err := strconv.ParseUint(string(sum), 16, 32)
		if err != nil || !found || uint32(want) != checksum(rest) {
			return errors.New("its checksum is another")
		}
		state = rest
		return nil
	})
	sf.e.Damaged.Of(err, "it is made again from what it is a copy of")
	return state, err
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

func stampOfState(path string) (stateStamp, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return stateStamp{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return stateStamp{}, atomicfile.ErrNotRegular
	}
	return stateStamp{st.Ino, st.Size, int64(st.Ctim.Sec), int64(st.Ctim.Nsec)}, nil //nolint:unconvert // 32 bits on some processors
}

// plausibleState refuses a state without what libcontainer relies on.
func plausibleState(data []byte, id string) error {
	var state libcontainer.State
	if err := json.Unmarshal(data, &state); err != nil {
		return err
	}
	config := &state.Config
	switch {
	case state.ID != id:
		return fmt.Errorf("it is of container %q", state.ID)
	case config.Cgroups == nil || config.Cgroups.Resources == nil || len(state.CgroupPaths) == 0:
		return errors.New("it names no cgroup")
	case len(config.Namespaces) == 0 || len(state.NamespacePaths) == 0:
		return errors.New("it names no namespaces")
	case !filepath.IsAbs(config.Rootfs):
		return errors.New("it names no root")
	}
	for _, m := range config.Mounts {
		if m == nil {
			return errors.New("it has a mount without a place")
		}
	}
	for _, d := range config.Devices {
		if d == nil {
			return errors.New("it has a device without a name")
		}
	}
	for _, d := range config.Cgroups.Resources.Devices {
		if d == nil {
			return errors.New("it has a rule without a device")
		}
	}
	return nil
}

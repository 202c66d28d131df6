package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"podd/internal/atomicfile"
	"podd/runtime/container/process"
	"podd/runtime/container/seccomp"
	"podd/runtime/container/seccomp/filter"
	"podd/runtime/container/spec"
)

// filterFile is beside a container's root: the filter that it was started with. Commands that run in it later, also those
// of another podd, are confined by the same, whatever has become of the profile.
func (e *Engine) filterFile(id string) string { return filepath.Join(e.MountDir, id, "seccomp") }

// confine hands the container's seccomp filter to its init, and says whether it has one.
func (e *Engine) confine(c *spec.Config, ociSpec *specs.Spec, p *libcontainer.Process) (bool, error) {
	f, err := e.Seccomp.Filter(seccomp.Of(c.Pod, c.Container, c.SeccompPreset, c.SeccompDefault), ociSpec.Process.Capabilities.Bounding)
	if err != nil {
		return false, err
	}
	if f == nil {
		if err := os.Remove(e.filterFile(c.ID)); err != nil && !errors.Is(err, os.ErrNotExist) { // of a start that failed
			return false, fmt.Errorf("cannot forget the seccomp filter of container %s: %w", c.ID, err)
		}
		return false, nil
	}
	encoded := f.Encode()
	if err := atomicfile.Write(e.filterFile(c.ID), encoded, 0o600); err != nil {
		return false, fmt.Errorf("cannot keep the seccomp filter of container %s: %w", c.ID, err)
	}
	return true, pass(p, encoded)
}

// confineExec hands the container's seccomp filter to the init of one more command.
func (e *Engine) confineExec(id string, p *libcontainer.Process) error {
	encoded, err := os.ReadFile(e.filterFile(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the seccomp filter of container %s: %w", id, err)
	}
	return pass(p, encoded)
}

// pass: it is the first extra file, where package reexec looks.
func pass(p *libcontainer.Process, encoded []byte) error {
	file, err := filter.File(encoded)
	if err != nil {
		return err
	}
	p.ExtraFiles = []*os.File{file}
	return nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		closeFile(f)
	}
}

// checkConfined looks whether the filter is there. Its absence would be podd's fault: libcontainer's init has another order
// than this podd knows.
func checkConfined(p *Process) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		if alive, _ := process.Alive(int(p.PIDFD.Fd())); !alive {
			return nil
		}
		return fmt.Errorf("cannot see whether process %d is confined: %w", p.PID, err)
	}
	if !strings.Contains(string(status), fmt.Sprintf("\nSeccomp:\t%d\n", unix.SECCOMP_MODE_FILTER)) {
		return fmt.Errorf("process %d was to be confined by a seccomp filter and is not", p.PID)
	}
	return nil
}

package container

import (
	"fmt"
	"os"
	"slices"
)

// Users are the ids of a pod with a user namespace of its own: its user and group 0 are First on the machine.
type Users struct {
	NS           string // path of the user namespace
	First, Count int
}

// check refuses users and groups that the pod does not have; libcontainer would only say that an argument is invalid.
func (u *Users) check(c *Config, who identity) error {
	if u == nil {
		return nil
	}
	for _, id := range slices.Concat([]int{who.uid, who.gid}, who.groups) {
		if id >= u.Count {
			return fmt.Errorf("%w: container %q is to run as user or group %d, and with hostUsers: false a pod has those from 0 to %d", ErrConfig, c.Container.Name, id, u.Count-1)
		}
	}
	return nil
}

// giveStdio lets a container of a pod with ids of its own open its output again, as /dev/stdout: its init cannot, as it
// does elsewhere, because the FIFOs are not its user namespace's.
func (e *Engine) giveStdio(c *Config, who identity) error {
	if c.Sandbox.Users == nil || c.Container.TTY {
		return nil
	}
	names := []string{stdoutFIFO, stderrFIFO}
	if c.Container.Stdin {
		names = append(names, stdinFIFO)
	}
	for _, name := range names {
		f, err := e.openContainerEnd(c.ID, name)
		if err != nil {
			return err
		}
		err = c.Sandbox.Users.give(f, who)
		closeFile(f)
		if err != nil {
			return err
		}
	}
	return nil
}

// give makes a pipe the container's; other files are not touched.
func (u *Users) give(f *os.File, who identity) error {
	if u == nil || f == nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		err = f.Chown(u.First+who.uid, u.First+who.gid)
	}
	if err != nil {
		return fmt.Errorf("cannot give a container its input and output: %w", err)
	}
	return nil
}

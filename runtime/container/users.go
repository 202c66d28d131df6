package container

import (
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runc/libcontainer/configs"
)

// Users are the ids of a pod with a user namespace of its own: its user and group 0 are First on the machine.
type Users struct {
	NS           string // path of the user namespace
	First, Count int
}

// join puts a container into the user namespace. Not the spec says so: specconv would give the ids to devices that it shares
// between all containers of the process, and start a program to read the map that is known here.
func (u *Users) join(config *configs.Config) {
	if u == nil {
		return
	}
	config.Namespaces.Add(configs.NEWUSER, u.NS)
	ids := []configs.IDMap{{ContainerID: 0, HostID: int64(u.First), Size: int64(u.Count)}}
	config.UIDMappings, config.GIDMappings = ids, ids
	for _, m := range config.Mounts {
		if m.IDMapping != nil {
			m.IDMapping.UserNSPath = u.NS
		}
	}
}

// check refuses users and groups that the pod does not have; libcontainer would only say that an argument is invalid.
func (u *Users) check(c *Config, who identity) error {
	if u == nil {
		return nil
	}
	if u.First == 0 { // never the machine's own
		return fmt.Errorf("%w: whose the pod's range of ids is has been lost; end the pod with podd delete pod, and it starts with another", ErrConfig)
	}
	for _, id := range slices.Concat([]int{who.uid, who.gid}, who.groups) {
		if id >= u.Count {
			return fmt.Errorf("%w: container %q is to run as user or group %d, and with hostUsers: false a pod has those from 0 to %d", ErrConfig, c.Container.Name, id, u.Count-1)
		}
	}
	return nil
}

// giveAll lets a container of a pod with ids of its own open its input and output again, as /dev/stdout: its init cannot, as
// it does elsewhere, because the pipes are not its user namespace's.
func (u *Users) giveAll(who identity, files ...*os.File) error {
	for _, f := range files {
		if err := u.give(f, who); err != nil {
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

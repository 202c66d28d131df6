package container

import (
	"fmt"
	"os"

	"github.com/opencontainers/runc/libcontainer/configs"

	"podd/runtime/container/spec"
)

// joinUsers puts a container into the user namespace. Not the spec says so: specconv would give the ids to devices that it shares
// between all containers of the process, and start a program to read the map that is known here.
func joinUsers(u *spec.Users, config *configs.Config) {
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

// chownToPod lets a container of a pod with ids of its own open its input and output again, as /dev/stdout: its init cannot, as
// it does elsewhere, because the pipes are not its user namespace's.
func chownToPod(u *spec.Users, who spec.Identity, files ...*os.File) error {
	for _, f := range files {
		if err := chownPipe(u, f, who); err != nil {
			return err
		}
	}
	return nil
}

// chownPipe makes a pipe the container's; other files are not touched.
func chownPipe(u *spec.Users, f *os.File, who spec.Identity) error {
	if u == nil || f == nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		err = f.Chown(u.First+who.UID, u.First+who.GID)
	}
	if err != nil {
		return fmt.Errorf("cannot give a container its input and output: %w", err)
	}
	return nil
}

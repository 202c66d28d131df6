package container

import (
	"fmt"

	"github.com/moby/sys/devices"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// hostDevices are all device nodes of the host, which a privileged container gets.
func hostDevices() ([]specs.LinuxDevice, error) {
	found, err := devices.HostDevices()
	if err != nil {
		return nil, fmt.Errorf("cannot list the host's devices: %w", err)
	}
	list := make([]specs.LinuxDevice, 0, len(found))
	for _, d := range found {
		mode, uid, gid := d.FileMode, d.Uid, d.Gid
		list = append(list, specs.LinuxDevice{
			Path: d.Path, Type: string(d.Type), Major: d.Major, Minor: d.Minor,
			FileMode: &mode, UID: &uid, GID: &gid,
		})
	}
	return list, nil
}

package executor

import (
	"fmt"
	"strings"

	"podd/runtime/container/spec"
)

// giveDevices adds the devices that a container was allocated. One that is not plugged in keeps it waiting.
func (op *run) giveDevices(c *spec.Config, name string) error {
	for _, u := range op.Inputs.Devices[name] {
		resource, _, _ := strings.Cut(u.Key, "|")
		if !u.Here {
			return fmt.Errorf("device %s of resource %s is not there", u.ID, resource)
		}
		c.Devices = append(c.Devices, spec.Device{Source: u.Source, Destination: u.Place, Access: u.Access, Unit: u.Key})
	}
	return nil
}

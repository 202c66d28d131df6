package executor

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"podd/runtime/container/spec"
	"podd/runtime/device/cdi"
)

// giveDevices adds the devices that a container was allocated. One that is not plugged in keeps it waiting.
func (op *run) giveDevices(c *spec.Config, name string) error {
	for _, u := range op.Inputs.Devices[name] {
		resource, _, _ := strings.Cut(u.Key, "|")
		switch {
		case !u.Here:
			return fmt.Errorf("device %s of resource %s is not there", u.ID, resource)
		case u.CDI == "":
			c.Devices = append(c.Devices, spec.Device{Source: u.Source, Destination: u.Place, Access: u.Access, Unit: u.Key})
		}
	}
	return nil
}

// cdiEdits are what CDI specs say of the devices that a container is to have: those of the pod's annotations and of its
// runtime handler, and those that it was allocated.
func (op *run) cdiEdits(name string) (cdispecs.ContainerEdits, error) {
	names := cdi.Annotated(op.Record.Object.Annotations)
	if h := op.Record.Sandbox.Handler; h != nil {
		names = append(names, h.CDIDevices...)
	}
	for _, u := range op.Inputs.Devices[name] {
		if u.CDI != "" {
			names = append(names, u.CDI)
		}
	}
	if len(names) == 0 {
		return cdispecs.ContainerEdits{}, nil
	}
	return cdi.Load(op.CDIDirs).Edits(names)
}

// applyCDI edits a container. Its environment is in Env already.
func (op *run) applyCDI(c *spec.Config, e *cdispecs.ContainerEdits) {
	for _, n := range e.DeviceNodes {
		d := spec.Device{Source: n.HostPath, Destination: n.Path, Access: n.Permissions, UID: n.UID, GID: n.GID, Mode: n.FileMode}
		if d.Source == "" {
			d.Source = n.Path
		}
		if d.Access == "" {
			d.Access = "rw"
		}
		op.watchDevice(d.Source)
		c.Devices = append(c.Devices, d)
	}
	for _, m := range e.Mounts {
		mount := spec.Mount{Source: m.HostPath, Destination: m.ContainerPath}
		for _, option := range m.Options {
			switch option {
			case "ro":
				mount.ReadOnly = true
			case "bind", "rbind", "rw", "private", "rprivate":
			default:
				mount.Options = append(mount.Options, option)
			}
		}
		c.Mounts = append(c.Mounts, mount)
	}
	for _, h := range e.Hooks {
		c.Hooks = append(c.Hooks, spec.Hook{Stage: h.HookName, Path: h.Path, Args: h.Args, Env: h.Env, Timeout: h.Timeout})
	}
	for _, gid := range e.AdditionalGIDs {
		if gid != 0 { // as the specification has it
			c.AdditionalGIDs = append(c.AdditionalGIDs, int(gid))
		}
	}
}

// variables are those of CDI edits.
func variables(list []string) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		out = append(out, corev1.EnvVar{Name: name, Value: value})
	}
	return out
}

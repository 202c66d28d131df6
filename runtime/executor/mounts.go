package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/container/spec"
	"podd/runtime/device"
	"podd/runtime/sandbox"
	"podd/runtime/status"
	"podd/runtime/volume"
)

// containerMounts finds the volumes of one attempt's container. What it mounts for subPaths on the host is needed until
// the container has started: release takes it off.
func (op *run) containerMounts(c *spec.Config, name string, attempt int) (release func(), err error) {
	var bound []string
	release = func() {
		for _, target := range bound {
			if err := volume.Release(target); err != nil {
				op.Log.Warn("the mount of a subPath stays until its pod goes", "error", err)
			}
		}
	}
	for i := range c.Container.VolumeMounts {
		m := &c.Container.VolumeMounts[i]
		source, v, err := op.volumePath(m.Name)
		if err != nil {
			return release, err
		}
		sub, err := subPathOf(c, m)
		if err != nil {
			return release, fmt.Errorf("%w: %w", spec.ErrConfig, err)
		}
		mount := mountOf(m, v, source)
		if asked, err := op.hostDevice(c, v, filepath.Join(source, sub), &mount); asked || err != nil {
			if err != nil {
				return release, err
			}
			continue
		}
		access := op.access(&mount)
		if sub != "" || access != volume.AsItIs {
			target, err := op.Volumes.SubPath(string(op.Record.UID), fmt.Sprintf("%s.%d.%d", name, attempt, i))
			if err != nil {
				return release, err
			}
			bind := func() error { return bindPart(source, sub, target, v, access) }
			if isShare(op.Record, v) {
				err = op.Volumes.GuardShare(filepath.Join(string(op.Record.UID), m.Name), bind)
			} else {
				err = bind()
			}
			if err != nil {
				return release, fmt.Errorf("%w: failed to prepare subPath for volumeMount %q of container %q: %w", spec.ErrConfig, m.Name, name, err)
			}
			mount.Source, bound = target, append(bound, target)
		}
		mount.Mapped = sandbox.IsMapped(op.Record, v)
		c.Mounts = append(c.Mounts, mount)
	}
	return release, nil
}

// hostDevice gives a container what it mounts of the host's devices; asked: that is what it mounts. A privileged container may
// open all of them, and sees the folders as they are.
func (op *run) hostDevice(c *spec.Config, v *corev1.Volume, source string, m *spec.Mount) (asked bool, err error) {
	if v.HostPath == nil {
		return false, nil
	}
	op.watchDevice(source)
	form := device.FormOf(source)
	switch {
	case form == device.Other || form == device.Folder && spec.IsPrivileged(c):
		return false, nil
	case form == device.Gone:
		return true, fmt.Errorf("device %s of volume %q is not there", source, v.Name)
	}
	access := "rw"
	if m.ReadOnly {
		access = "r"
	}
	c.Devices = append(c.Devices, spec.Device{Source: source, Destination: filepath.Join("/", m.Destination), Access: access})
	return true, nil
}

func (op *run) volumePath(name string) (string, *corev1.Volume, error) {
	for i := range op.Record.Object.Spec.Volumes {
		v := &op.Record.Object.Spec.Volumes[i]
		if v.Name != name {
			continue
		}
		if v.PersistentVolumeClaim != nil {
			folder := op.Record.Volumes.Folders[name]
			if !filepath.IsAbs(folder) {
				folder = op.Volumes.SharePath(string(op.Record.UID), name)
			}
			return folder, v, nil
		}
		path, err := op.Volumes.Path(string(op.Record.UID), v)
		return path, v, err
	}
	return "", nil, fmt.Errorf("%w: the pod has no volume %q", spec.ErrConfig, name)
}

// subPathOf is the path in the volume that a mount shows; "" for all of it.
func subPathOf(c *spec.Config, m *corev1.VolumeMount) (string, error) {
	sub := m.SubPath
	if m.SubPathExpr != "" {
		var err error
		if sub, err = c.ExpandSubPath(m.SubPathExpr); err != nil {
			return "", err
		}
	}
	switch {
	case filepath.IsAbs(sub):
		return "", errors.New("error SubPath `" + sub + "` must not be an absolute path")
	case strings.Contains("/"+sub+"/", "/../"):
		return "", errors.New("unable to provision SubPath `" + sub + "`: must not contain '..'")
	}
	return sub, nil
}

// access is what the host's mount for a container has to withhold by itself. A container that may mount in a user namespace of
// its own takes "read-only" off a mount again that was made there; off one that it was given it may not: man 7
// mount_namespaces, "locked".
func (op *run) access(m *spec.Mount) volume.Access {
	switch {
	case !m.ReadOnly || !sandbox.HasOwnUsers(op.Record) || !mayMount(&op.Record.Object.Spec):
		return volume.AsItIs
	case m.Recursive:
		return volume.ReadOnlyAll
	}
	return volume.ReadOnlyTop
}

// mayMount says whether any of a pod's containers may: one can hand another what it has mounted.
func mayMount(pod *corev1.PodSpec) bool {
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			if spec.MayMount(list[i].SecurityContext) {
				return true
			}
		}
	}
	return false
}

func bindPart(source, sub, target string, v *corev1.Volume, access volume.Access) error {
	handle, err := openPart(source, sub, v)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }()
	return volume.Bind(handle, target, access)
}

func openPart(source, sub string, v *corev1.Volume) (*os.File, error) {
	if sub == "" {
		return volume.OpenWhole(source)
	}
	return volume.OpenSubPath(source, sub, !volume.ReadOnly(v))
}

func mountOf(m *corev1.VolumeMount, v *corev1.Volume, source string) spec.Mount {
	out := spec.Mount{
		Source: source, Destination: m.MountPath, ReadOnly: m.ReadOnly || volume.ReadOnly(v), Options: m.BindMountOptions,
		Recursive: status.RecursiveReadOnly(m, spec.CanReadOnlyRecursively()) == corev1.RecursiveReadOnlyEnabled,
	}
	if v.Image != nil {
		out.Options = []string{"noexec", "nodev", "nosuid"}
	}
	if m.MountPropagation != nil {
		out.Propagation = *m.MountPropagation
	}
	return out
}

package validate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (r *containerRules) mounts(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	points := Seen{}
	for i := range c.VolumeMounts {
		m, at := &c.VolumeMounts[i], path.Index(i)
		errs = append(errs, Required(m.Name, at.Child("name"))...)
		volume := r.volumes[m.Name]
		if volume == nil {
			errs = append(errs, field.NotFound(at.Child("name"), m.Name))
		}
		errs = append(errs, Required(m.MountPath, at.Child("mountPath"))...)
		if points.Add(m.MountPath) {
			errs = append(errs, field.Invalid(at.Child("mountPath"), m.MountPath, "must be unique"))
		}
		for _, d := range c.VolumeDevices {
			if d.Name == m.Name {
				errs = append(errs, field.Invalid(at.Child("name"), m.Name, "must not already exist in volumeDevices"))
			}
			if d.DevicePath == m.MountPath {
				errs = append(errs, field.Invalid(at.Child("mountPath"), m.MountPath, "must not already exist as a path in volumeDevices"))
			}
		}
		errs = append(errs, validateSubPath(m, path, at)...)
		errs = append(errs, validateBindOptions(m, volume, at.Child("bindMountOptions"))...)
		errs = append(errs, validatePropagation(m, c, path)...)
	}
	return errs
}

func validateSubPath(m *corev1.VolumeMount, path, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if m.SubPath != "" {
		errs = append(errs, descendingPath(m.SubPath, path.Child("subPath"))...)
	}
	if m.SubPathExpr != "" {
		if m.SubPath != "" {
			errs = append(errs, field.Invalid(at.Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive"))
		}
		errs = append(errs, descendingPath(m.SubPathExpr, path.Child("subPathExpr"))...)
	}
	return errs
}

func validateBindOptions(m *corev1.VolumeMount, volume *corev1.Volume, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(m.BindMountOptions) > 0 && volume != nil && volume.Image != nil {
		errs = append(errs, field.Forbidden(path, "not supported with image volumes"))
	}
	seen := Seen{}
	for i, o := range m.BindMountOptions {
		errs = append(errs, Supported(path.Index(i), corev1.BindMountOption(o),
			corev1.BindMountOptionNoDev, corev1.BindMountOptionNoExec, corev1.BindMountOptionNoSUID)...)
		if seen.Add(o) {
			errs = append(errs, field.Duplicate(path.Index(i), o))
		}
	}
	return errs
}

func validatePropagation(m *corev1.VolumeMount, c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := m.MountPropagation; p != nil {
		at := path.Child("mountPropagation")
		errs = append(errs, Supported(at, *p,
			corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)...)
		privileged := c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
		if *p == corev1.MountPropagationBidirectional && !privileged {
			errs = append(errs, field.Forbidden(at, "Bidirectional mount propagation is available only to privileged containers"))
		}
	}
	if r := m.RecursiveReadOnly; r != nil {
		at := path.Child("recursiveReadOnly")
		errs = append(errs, Supported(at, *r, corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible)...)
		if *r == corev1.RecursiveReadOnlyDisabled {
			return errs
		}
		if !m.ReadOnly {
			errs = append(errs, field.Forbidden(at, "may only be specified when readOnly is true"))
		}
		if m.MountPropagation != nil && *m.MountPropagation != corev1.MountPropagationNone {
			errs = append(errs, field.Forbidden(at, "may only be specified when mountPropagation is None or not specified"))
		}
	}
	return errs
}

func (r *containerRules) devices(c *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names, paths := Seen{}, Seen{}
	for i, d := range c.VolumeDevices {
		at := path.Index(i)
		errs = append(errs, Required(d.Name, at.Child("name"))...)
		if names.Add(d.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), d.Name, "must be unique"))
		}
		switch v := r.volumes[d.Name]; {
		case v == nil:
			errs = append(errs, field.NotFound(at.Child("name"), d.Name))
		case v.PersistentVolumeClaim == nil && v.Ephemeral == nil:
			errs = append(errs, field.Invalid(at.Child("name"), d.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"))
		}
		errs = append(errs, Required(d.DevicePath, at.Child("devicePath"))...)
		if paths.Add(d.DevicePath) {
			errs = append(errs, field.Invalid(at.Child("devicePath"), d.DevicePath, "must be unique"))
		}
		if len(NoBacksteps(d.DevicePath, at)) > 0 {
			errs = append(errs, field.Invalid(at.Child("devicePath"), d.DevicePath, "can not contain backsteps ('..')"))
		}
	}
	return errs
}

package describe

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

func (d *printer) volumes(list []corev1.Volume) {
	if len(list) == 0 {
		d.field(0, "Volumes", none)
		return
	}
	d.line(0, "Volumes:")
	for i := range list {
		d.line(1, "%s:", list[i].Name)
		d.volume(&list[i].VolumeSource)
	}
}

// volume writes the sources that a single node can have.
func (d *printer) volume(v *corev1.VolumeSource) {
	switch {
	case v.HostPath != nil:
		kind := none
		if v.HostPath.Type != nil {
			kind = string(*v.HostPath.Type)
		}
		d.source("HostPath (bare host directory volume)", "Path", v.HostPath.Path, "HostPathType", kind)
	case v.EmptyDir != nil:
		size := "<unset>"
		if l := v.EmptyDir.SizeLimit; l != nil && l.Sign() > 0 {
			size = l.String()
		}
		d.source("EmptyDir (a temporary directory that shares a pod's lifetime)", "Medium", v.EmptyDir.Medium, "SizeLimit", size)
	case v.Secret != nil:
		d.source("Secret (a volume populated by a Secret)", "SecretName", v.Secret.SecretName, "Optional", isSet(v.Secret.Optional))
	case v.ConfigMap != nil:
		d.source("ConfigMap (a volume populated by a ConfigMap)", "Name", v.ConfigMap.Name, "Optional", isSet(v.ConfigMap.Optional))
	case v.DownwardAPI != nil:
		d.downwardAPI(v.DownwardAPI)
	case v.Projected != nil:
		d.projected(v.Projected)
	case v.PersistentVolumeClaim != nil:
		c := v.PersistentVolumeClaim
		d.source("PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)", "ClaimName", c.ClaimName, "ReadOnly", c.ReadOnly)
	case v.NFS != nil:
		d.source("NFS (an NFS mount that lasts the lifetime of a pod)", "Server", v.NFS.Server, "Path", v.NFS.Path, "ReadOnly", v.NFS.ReadOnly)
	case v.Image != nil:
		d.source("Image (a container image or OCI artifact)", "Reference", v.Image.Reference, "PullPolicy", v.Image.PullPolicy)
	default:
		d.line(1, "<unknown>")
	}
}

// source writes the type and pairs of name and value.
func (d *printer) source(kind string, pairs ...any) {
	d.field(2, "Type", kind)
	for i := 0; i+1 < len(pairs); i += 2 {
		d.field(2, fmt.Sprint(pairs[i]), pairs[i+1])
	}
}

func (d *printer) downwardAPI(v *corev1.DownwardAPIVolumeSource) {
	d.source("DownwardAPI (a volume populated by information about the pod)")
	d.line(2, "Items:")
	for _, i := range v.Items {
		switch {
		case i.FieldRef != nil:
			d.line(3, "%s -> %s", i.FieldRef.FieldPath, i.Path)
		case i.ResourceFieldRef != nil:
			d.line(3, "%s -> %s", i.ResourceFieldRef.Resource, i.Path)
		}
	}
}

func (d *printer) projected(v *corev1.ProjectedVolumeSource) {
	d.source("Projected (a volume that contains injected data from multiple sources)")
	for _, s := range v.Sources {
		switch {
		case s.Secret != nil:
			d.field(2, "SecretName", s.Secret.Name)
			d.field(2, "Optional", isSet(s.Secret.Optional))
		case s.DownwardAPI != nil:
			d.field(2, "DownwardAPI", true)
		case s.ConfigMap != nil:
			d.field(2, "ConfigMapName", s.ConfigMap.Name)
			d.field(2, "Optional", isSet(s.ConfigMap.Optional))
		case s.ServiceAccountToken != nil && s.ServiceAccountToken.ExpirationSeconds != nil:
			d.field(2, "TokenExpirationSeconds", *s.ServiceAccountToken.ExpirationSeconds)
		}
	}
}

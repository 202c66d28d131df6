package defaults

import corev1 "k8s.io/api/core/v1"

func setVolumeDefaults(v *corev1.Volume) {
	if v.VolumeSource == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if v.HostPath != nil {
		Set(&v.HostPath.Type, corev1.HostPathUnset)
	}
	if v.Secret != nil {
		Set(&v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	}
	if v.ConfigMap != nil {
		Set(&v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	}
	if v.DownwardAPI != nil {
		Set(&v.DownwardAPI.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
		setFileDefaults(v.DownwardAPI.Items)
	}
	if v.Image != nil {
		v.Image.PullPolicy = Or(v.Image.PullPolicy, pullPolicyOf(v.Image.Reference))
	}
	if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
		Set(&v.Ephemeral.VolumeClaimTemplate.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
	}
	if v.Projected != nil {
		setProjectedDefaults(v.Projected)
	}
}

func setProjectedDefaults(p *corev1.ProjectedVolumeSource) {
	Set(&p.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
	for i := range p.Sources {
		if d := p.Sources[i].DownwardAPI; d != nil {
			setFileDefaults(d.Items)
		}
		if t := p.Sources[i].ServiceAccountToken; t != nil {
			Set(&t.ExpirationSeconds, 3600)
		}
	}
}

func setFileDefaults(files []corev1.DownwardAPIVolumeFile) {
	for i := range files {
		if ref := files[i].FieldRef; ref != nil {
			ref.APIVersion = Or(ref.APIVersion, "v1")
		}
	}
}

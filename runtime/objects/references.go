package objects

import corev1 "k8s.io/api/core/v1"

// References calls yield for each object of the folder that a pod names.
func References(p *corev1.Pod, yield func(Key)) {
	refer := func(kind, name string) {
		if name != "" {
			yield(Key{kind, p.Namespace, name})
		}
	}
	refer("ServiceAccount", p.Spec.ServiceAccountName)
	for i := range p.Spec.InitContainers {
		containerReferences(&p.Spec.InitContainers[i], refer)
	}
	for i := range p.Spec.Containers {
		containerReferences(&p.Spec.Containers[i], refer)
	}
	for i := range p.Spec.Volumes {
		volumeReferences(&p.Spec.Volumes[i], p.Name, refer)
	}
	for _, s := range p.Spec.ImagePullSecrets {
		refer("Secret", s.Name)
	}
}

func containerReferences(c *corev1.Container, refer func(kind, name string)) {
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			refer("ConfigMap", from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			refer("Secret", from.SecretRef.Name)
		}
	}
	for _, v := range c.Env {
		if v.ValueFrom == nil {
			continue
		}
		if ref := v.ValueFrom.ConfigMapKeyRef; ref != nil {
			refer("ConfigMap", ref.Name)
		}
		if ref := v.ValueFrom.SecretKeyRef; ref != nil {
			refer("Secret", ref.Name)
		}
	}
}

func volumeReferences(v *corev1.Volume, pod string, refer func(kind, name string)) {
	switch {
	case v.ConfigMap != nil:
		refer("ConfigMap", v.ConfigMap.Name)
	case v.Secret != nil:
		refer("Secret", v.Secret.SecretName)
	case v.PersistentVolumeClaim != nil:
		refer("PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName)
	case v.Ephemeral != nil:
		refer("PersistentVolumeClaim", pod+"-"+v.Name)
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				refer("ConfigMap", s.ConfigMap.Name)
			}
			if s.Secret != nil {
				refer("Secret", s.Secret.Name)
			}
		}
	}
}

// RefersToAny says whether a pod names one of the objects.
func RefersToAny(p *corev1.Pod, keys map[Key]bool) bool {
	found := false
	References(p, func(key Key) { found = found || keys[key] })
	return found
}

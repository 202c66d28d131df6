package manifest

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	tokenVolume = "kube-api-access"
	tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenLife   = 3607 // seconds, as the admission plugin of Kubernetes has it
)

// setTokenDefaults mounts a token into each container of a pod that asks for one, as the API server's admission does
// (plugin/pkg/admission/serviceaccount), but for the certificate of an API server, which there is none of.
func setTokenDefaults(pod *corev1.Pod) {
	spec := &pod.Spec
	if !wantsToken(spec) || slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == tokenVolume }) {
		return
	}
	life := int64(tokenLife)
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &life}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		},
	}}})
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenFolder }) {
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: tokenVolume, ReadOnly: true, MountPath: tokenFolder})
			}
		}
	}
}

// wantsToken says whether a pod asks for the mount: by its field or, where that is not set, by a command that reads it.
// The documentation's init containers take their namespace from there.
func wantsToken(spec *corev1.PodSpec) bool {
	if spec.AutomountServiceAccountToken != nil {
		return *spec.AutomountServiceAccountToken
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			for _, word := range slices.Concat(list[i].Command, list[i].Args) {
				if strings.Contains(word, tokenFolder) {
					return true
				}
			}
		}
	}
	return false
}

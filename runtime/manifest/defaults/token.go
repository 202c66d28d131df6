package defaults

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

const (
	tokenVolume = "kube-api-access"
	tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenLife   = 3607 // seconds, as the admission plugin of Kubernetes has it
)

// setTokenDefaults mounts a token into a pod that asks for one by itself.
func setTokenDefaults(pod *corev1.Pod) {
	if wantsToken(&pod.Spec) {
		mountToken(pod)
	}
}

// WithToken returns a pod that says nothing about the mount of a token with or without that mount, as its ServiceAccount
// wants it. The pod itself stays as it is; it is what is returned if there is nothing to change.
func WithToken(pod *corev1.Pod, wanted bool) *corev1.Pod {
	if MountsToken(pod) == wanted {
		return pod
	}
	out := pod.DeepCopy()
	if wanted {
		mountToken(out)
	} else {
		unmountToken(&out.Spec)
	}
	return out
}

// MountsToken says whether a pod has the mount of a token that podd gives.
func MountsToken(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, isTokenVolume)
}

func isTokenVolume(v corev1.Volume) bool {
	return v.Name == tokenVolume && equality.Semantic.DeepEqual(v.VolumeSource, tokenSource())
}

func tokenSource() corev1.VolumeSource {
	life, mode := int64(tokenLife), corev1.ProjectedVolumeSourceDefaultMode
	return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: &mode,
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &life}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		},
	}}
}

// mountToken gives each container a token, as the API server's admission does (plugin/pkg/admission/serviceaccount), but
// for the certificate of an API server, which there is none of.
func mountToken(pod *corev1.Pod) {
	spec := &pod.Spec
	if slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == tokenVolume }) {
		return
	}
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: tokenVolume, VolumeSource: tokenSource()})
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			c := &list[i]
			if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenFolder }) {
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: tokenVolume, ReadOnly: true, MountPath: tokenFolder})
			}
		}
	}
}

func unmountToken(spec *corev1.PodSpec) {
	spec.Volumes = slices.DeleteFunc(spec.Volumes, isTokenVolume)
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			list[i].VolumeMounts = slices.DeleteFunc(list[i].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == tokenVolume })
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

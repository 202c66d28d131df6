package objects

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestReferences(t *testing.T) {
	configMap, secret := corev1.LocalObjectReference{Name: "cm"}, corev1.LocalObjectReference{Name: "s"}
	for _, tt := range []struct {
		name string
		spec corev1.PodSpec
		want []Key
	}{
		{"nothing", corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v"}}, Containers: []corev1.Container{{Env: []corev1.EnvVar{{Name: "A"}}}}}, nil},
		{"account", corev1.PodSpec{ServiceAccountName: "robot"}, []Key{{"ServiceAccount", "ns", "robot"}}},
		{"pull secret", corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{secret}}, []Key{{"Secret", "ns", "s"}}},
		{
			"env of an init container", corev1.PodSpec{InitContainers: []corev1.Container{{Env: []corev1.EnvVar{
				{ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: configMap}}},
				{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: secret}}},
			}}}}, []Key{{"ConfigMap", "ns", "cm"}, {"Secret", "ns", "s"}},
		},
		{
			"all of an object", corev1.PodSpec{Containers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{
				{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: configMap}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: secret}},
			}}}}, []Key{{"ConfigMap", "ns", "cm"}, {"Secret", "ns", "s"}},
		},
		{
			"volumes", corev1.PodSpec{Volumes: []corev1.Volume{
				{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: configMap}}},
				{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}},
				{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}},
				{Name: "e", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
			}}, []Key{{"ConfigMap", "ns", "cm"}, {"Secret", "ns", "s"}, {"PersistentVolumeClaim", "ns", "c"}, {"PersistentVolumeClaim", "ns", "pod-e"}},
		},
		{
			"projected", corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: configMap}}, {Secret: &corev1.SecretProjection{LocalObjectReference: secret}},
			}}}}}}, []Key{{"ConfigMap", "ns", "cm"}, {"Secret", "ns", "s"}},
		},
	} {
		p := newPod("ns", "pod", "u")
		p.Spec = tt.spec
		got := map[Key]bool{}
		References(p, func(key Key) { got[key] = true })
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", tt.name, got)
		}
		for _, key := range tt.want {
			if !got[key] || !RefersToAny(p, map[Key]bool{key: true}) {
				t.Errorf("%s: %v is not among %v", tt.name, key, got)
			}
		}
		if RefersToAny(p, map[Key]bool{{"ConfigMap", "other", "cm"}: true}) {
			t.Errorf("%s: it refers to another namespace", tt.name)
		}
	}
}

package manifest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestWithEphemeral(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace = "web", "default"
	pod.Spec.Containers = []corev1.Container{{Name: "main", Image: "app"}}
	if err := Admit(pod); err != nil {
		t.Fatal(err)
	}
	of := func(name string, edit ...func(c *corev1.EphemeralContainer)) corev1.EphemeralContainer {
		c := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "busybox"}}
		for _, e := range edit {
			e(&c)
		}
		return c
	}
	have, _, err := WithEphemeral(pod, nil, []corev1.EphemeralContainer{of("first")}, false)
	if err != nil || len(have) != 1 || have[0].ImagePullPolicy != corev1.PullAlways || have[0].TerminationMessagePath == "" {
		t.Fatalf("%+v, %v", have, err)
	}
	for _, c := range []struct {
		name  string
		whole bool
		list  []corev1.EphemeralContainer
		want  string // of the error; "": there is none
	}{
		{"another", false, []corev1.EphemeralContainer{of("second")}, ""},
		{"again", false, []corev1.EphemeralContainer{of("first")}, ""},
		{"all", true, []corev1.EphemeralContainer{of("first"), of("second")}, ""},
		{"removed", true, []corev1.EphemeralContainer{of("second")}, `spec.ephemeralContainers: Forbidden: existing ephemeral containers "first" may not be removed`},
		{"changed", false, []corev1.EphemeralContainer{of("first", func(c *corev1.EphemeralContainer) { c.Image = "alpine" })}, `existing ephemeral containers "first" may not be changed`},
		{"name taken", false, []corev1.EphemeralContainer{of("main")}, `spec.ephemeralContainers[1].name: Duplicate value: "main"`},
		{"no image", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) { c.Image = "" })}, "spec.ephemeralContainers[1].image: Required value"},
		{"ports", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) { c.Ports = []corev1.ContainerPort{{ContainerPort: 80}} })}, "spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container"},
		{"probe", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) { c.LivenessProbe = &corev1.Probe{} })}, "spec.ephemeralContainers[1].livenessProbe: Forbidden"},
		{"resources", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) {
			c.Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
		})}, "spec.ephemeralContainers[1].resources: Forbidden"},
		{"target", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) { c.TargetContainerName = "main" })}, ""},
		{"no target", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) { c.TargetContainerName = "other" })}, `spec.ephemeralContainers[1].targetContainerName: Not found: "other"`},
		{"a volume that there is not", false, []corev1.EphemeralContainer{of("second", func(c *corev1.EphemeralContainer) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		})}, `spec.ephemeralContainers[1].volumeMounts[0].name: Not found: "v"`},
	} {
		all, _, err := WithEphemeral(pod, have, c.list, c.whole)
		switch {
		case c.want == "" && (err != nil || len(all) < len(have)):
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

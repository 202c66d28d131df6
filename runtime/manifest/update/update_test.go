package update

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
)

func TestCompare(t *testing.T) {
	const base = `"restartPolicy":"Always"`
	sized := func(cpu string) string {
		return `"resources":{"requests":{"cpu":"` + cpu + `","memory":"1Mi"},"limits":{"memory":"8Mi"}}`
	}
	for _, tc := range []struct {
		name                         string
		spec, container, spec2, con2 string
		want                         string
	}{
		{"nothing", base, "", base, "", "replace [] fields [] images [] resources []"},
		{"a spelled-out default", base, "", "", "", "replace [] fields [] images [] resources []"},
		{"the deadline is set", base, "", base + `,"activeDeadlineSeconds":5`, "", "replace [] fields [spec.activeDeadlineSeconds] images [] resources []"},
		{"the deadline is shortened", `"activeDeadlineSeconds":9`, "", `"activeDeadlineSeconds":5`, "", "replace [] fields [spec.activeDeadlineSeconds] images [] resources []"},
		{"the deadline is lengthened", `"activeDeadlineSeconds":5`, "", `"activeDeadlineSeconds":9`, "", "replace [spec.activeDeadlineSeconds] fields [] images [] resources []"},
		{"resources", base, sized("1m"), base, sized("2m"), "replace [] fields [spec.containers[0].resources] images [] resources [c]"},
		{"resources that change the class", base, "", base, sized("2m"), "replace [status.qosClass] fields [spec.containers[0].resources] images [] resources [c]"},
		{"a limit that goes", base, sized("1m"), base, `"resources":{"requests":{"cpu":"1m","memory":"1Mi"}}`, "replace [spec.containers[0].resources.limits] fields [] images [] resources []"},
		{"the image of an init container", `"initContainers":[{"name":"i","image":"a"}]`, "", `"initContainers":[{"name":"i","image":"b:1"}]`, "", "replace [] fields [spec.initContainers[0].image] images [i] resources []"},
		{"a command", base, `"command":["a"]`, base, `"command":["b"]`, "replace [spec.containers[0].command] fields [] images [] resources []"},
		{"the policy and the network", base, "", `"restartPolicy":"Never","hostNetwork":true`, "", "replace [spec.restartPolicy spec.hostNetwork] fields [] images [] resources []"},
		{"a toleration more", base, "", `"tolerations":[{"operator":"Exists"}]`, "", "replace [] fields [spec.tolerations] images [] resources []"},
		{"an init container more", base, "", `"initContainers":[{"name":"i","image":"a"}]`, "", "replace [spec.initContainers] fields [] images [] resources []"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var pods []manifest.Pod
			for _, text := range []string{specJSON(tc.spec, tc.container), specJSON(tc.spec2, tc.con2)} {
				parsed, problems := ParseFile("p.json", []byte(text))
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				pods = append(pods, parsed...)
			}
			c := Compare(pods[0].Object, pods[1].Object)
			if got := fmt.Sprintf("replace %v fields %v images %v resources %v", c.Replace, c.Fields, c.Images, c.Resources); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestSourceIsNotCompared: which file a pod is from is shown in annotations, and a pod that is shown makes a manifest that
// changes nothing.
func TestSourceIsNotCompared(t *testing.T) {
	pods, problems := ParseFile("p.json", []byte(specJSON(`"restartPolicy":"Always"`, "")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	shown := pods[0].Object.DeepCopy()
	annotation.SetSource(&shown.ObjectMeta, "/etc/podd/manifests/p.json")
	for _, pair := range [][2]*corev1.Pod{{pods[0].Object, shown}, {shown, pods[0].Object}} {
		if c := Compare(pair[0], pair[1]); len(c.Fields)+len(c.Replace) > 0 {
			t.Errorf("%+v", c)
		}
	}
	if shown.Annotations[annotation.ManifestKey] == "" {
		t.Error("the comparison has changed the pod")
	}
}

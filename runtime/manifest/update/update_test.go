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
		{"a toleration for longer", `"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":5}]`, "", `"tolerations":[{"key":"b","operator":"Exists"},{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9}]`, "", "replace [] fields [spec.tolerations] images [] resources []"},
		{"a toleration less", `"tolerations":[{"operator":"Exists"}]`, "", base, "", "replace [spec.tolerations] fields [] images [] resources []"},
		{"a toleration of another effect", `"tolerations":[{"operator":"Exists","effect":"NoExecute"}]`, "", `"tolerations":[{"operator":"Exists","effect":"NoSchedule"}]`, "", "replace [spec.tolerations[0].effect] fields [] images [] resources []"},
		{"the deadline goes", `"activeDeadlineSeconds":5`, "", base, "", "replace [spec.activeDeadlineSeconds] fields [] images [] resources []"},
		{"two images", `"initContainers":[{"name":"i","image":"a","restartPolicy":"Always"}]`, `"image":"x:1"`, `"initContainers":[{"name":"i","image":"b","restartPolicy":"Always"}]`, `"image":"x:2"`, "replace [] fields [spec.initContainers[0].image spec.containers[0].image] images [i c] resources []"},
		{"an image and its pull policy", base, `"image":"x:1"`, base, `"image":"x"`, "replace [] fields [spec.containers[0].image] images [c] resources []"},
		{"another pull policy", base, `"image":"x:1"`, base, `"image":"x:1","imagePullPolicy":"Never"`, "replace [spec.containers[0].imagePullPolicy] fields [] images [] resources []"},
		{"a container of another name", base, `"name":"c"`, base, `"name":"d"`, "replace [spec.containers[0].name] fields [] images [] resources []"},
		{"resources of a sidecar", `"initContainers":[{"name":"i","image":"a:1","restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}}]`, "", `"initContainers":[{"name":"i","image":"a:1","restartPolicy":"Always","resources":{"requests":{"cpu":"2"}}}]`, "", "replace [] fields [spec.initContainers[0].resources] images [] resources [i]"},
		{"resources of an init container", `"initContainers":[{"name":"i","image":"a:1","resources":{"requests":{"cpu":"1"}}}]`, "", `"initContainers":[{"name":"i","image":"a:1","resources":{"requests":{"cpu":"2"}}}]`, "", "replace [spec.initContainers[0].resources.requests] fields [] images [] resources []"},
		{"resources that cannot be resized", base, `"resources":{"requests":{"cpu":"1","ephemeral-storage":"1"}}`, base, `"resources":{"requests":{"cpu":"1","ephemeral-storage":"2"}}`, "replace [spec.containers[0].resources.requests] fields [] images [] resources []"},
		{"a limit that comes", base, sized("1m"), base, `"resources":{"requests":{"cpu":"1m","memory":"1Mi"},"limits":{"memory":"8Mi","cpu":"1"}}`, "replace [] fields [spec.containers[0].resources] images [] resources [c]"},
		{"a variable of a list", base, `"env":[{"name":"A","value":"1"},{"name":"B","value":"1"}]`, base, `"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]`, "replace [spec.containers[0].env[1].value] fields [] images [] resources []"},
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

// Which containers a change in place restarts. KEP-1287, resize policies
func TestRestarts(t *testing.T) {
	t.Parallel()
	pod := func(container string) *corev1.Pod {
		pods, problems := ParseFile("p.json", []byte(specJSON("", container)))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return pods[0].Object
	}
	const policy = `"resizePolicy":[{"resourceName":"memory","restartPolicy":"RestartContainer"},{"resourceName":"cpu","restartPolicy":"NotRequired"}],`
	sized := func(cpu, memory string) string {
		return `"resources":{"requests":{"cpu":"` + cpu + `","memory":"1Mi"},"limits":{"memory":"` + memory + `"}}`
	}
	for name, tc := range map[string]struct {
		before, after string
		want          string
	}{
		"nothing":                    {policy + sized("1m", "8Mi"), policy + sized("1m", "8Mi"), "[]"},
		"cpu":                        {policy + sized("1m", "8Mi"), policy + sized("2m", "8Mi"), "[]"},
		"memory":                     {policy + sized("1m", "8Mi"), policy + sized("1m", "9Mi"), "[c]"},
		"memory without a policy":    {sized("1m", "8Mi"), sized("1m", "9Mi"), "[]"},
		"memory in another spelling": {policy + sized("1m", "8Mi"), policy + sized("1m", "8192Ki"), "[]"},
		"an image":                   {`"image":"x:1"`, `"image":"x:2"`, "[c]"},
		"an image and memory":        {`"image":"x:1",` + policy + sized("1m", "8Mi"), `"image":"x:2",` + policy + sized("1m", "9Mi"), "[c]"},
	} {
		before, after := pod(tc.before), pod(tc.after)
		c := Compare(before, after)
		if got := fmt.Sprint(c.Restarts(before, after)); got != tc.want || len(c.Replace) > 0 {
			t.Errorf("%s: %s restart, want %s; %+v", name, got, tc.want, c)
		}
	}
}

// A change of labels and annotations alone is none of the spec.
func TestChangeOfSpec(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fields []string
		want   bool
	}{
		{nil, false}, {[]string{"metadata.labels"}, false}, {[]string{"metadata.labels", "metadata.annotations"}, false}, {[]string{"metadata.labels", "spec.tolerations"}, true},
	} {
		if c := (Change{Fields: tc.fields}); c.Spec() != tc.want {
			t.Errorf("%v: %t", tc.fields, c.Spec())
		}
	}
}

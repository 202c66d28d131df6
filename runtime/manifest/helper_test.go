package manifest

import (
	"fmt"
	"strings"
)

// podYAML is a small pod.
func podYAML(name, image string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\nspec:\n  containers:\n  - name: c\n    image: %s\n", name, image)
}

// specJSON wraps fields of a spec, and fields of its one container, in a pod. The container gets a name and an
// image unless it starts with its own.
func specJSON(spec, container string) string {
	if !strings.HasPrefix(container, `"name"`) {
		container = joined(`"name":"c"`, container)
	}
	if !strings.HasPrefix(container, `"image"`) && !strings.Contains(container, `,"image":`) {
		container = joined(`"image":"busybox"`, container)
	}
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{` + joined(`"containers":[{`+container+`}]`, spec) + `}}`
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "," + b
}

// ParseFile is Parse for tests whom only the pods concern.
func ParseFile(path string, data []byte) ([]Pod, []Problem) {
	objects, problems := Parse(path, data)
	return Pods(objects), problems
}

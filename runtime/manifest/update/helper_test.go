package update

import (
	"strings"

	"podd/runtime/manifest"
)

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
func ParseFile(path string, data []byte) ([]manifest.Pod, []manifest.Problem) {
	objects, problems := manifest.Parse(path, data)
	return manifest.Pods(objects), problems
}

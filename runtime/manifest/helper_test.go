package manifest

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

// ParseFile is Parse for tests whom only the pods concern.
func ParseFile(path string, data []byte) ([]Pod, []Problem) {
	objects, problems := Parse(path, data)
	return Pods(objects), problems
}

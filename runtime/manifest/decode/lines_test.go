package decode

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestLines(t *testing.T) {
	t.Parallel()
	const doc = `# a pod
apiVersion: v1
metadata:
  name: p
  labels: {app: web, a.b/c: d}
  name: q
spec:
  containers:
  - name: c
    args: [a,
      b]
    env:
    - {name: A,
       value: x}
  -
    name: d
    image:
  nodeName: n
`
	lines := FindLines(Chunk{Data: []byte(doc), Line: 11})
	for _, tc := range []struct {
		path string
		nth  int
		want int // in the document, whose first line is 11 of the file
	}{
		{"", 0, 0},
		{"nothing", 0, 0},
		{"apiVersion", 0, 2},
		{"metadata", 0, 3},
		{"metadata.name", 0, 4},
		{"metadata.name", 1, 6},
		{"metadata.name", 2, 4},
		{"metadata.labels", 0, 5},
		{"metadata.labels[a.b/c]", 0, 5},
		{"metadata.labels.app", 0, 5},
		{"metadata.annotations", 0, 3},
		{"metadata.annotations[a]", 0, 3},
		{"spec.containers[0].name", 0, 9},
		{"spec.containers[0].args", 0, 10},
		{"spec.containers[0].args[0]", 0, 10},
		{"spec.containers[0].args[1]", 0, 11},
		{"spec.containers[0].args[2]", 0, 10},
		{"spec.containers[0].env[0].value", 0, 14},
		{"spec.containers[0].env[1].value", 0, 12},
		{"spec.containers[1].name", 0, 16},
		{"spec.containers[1].image", 0, 17},
		{"spec.containers[1].image.tag", 0, 17},
		{"spec.containers[1].command", 0, 16},
		{"spec.containers[2]", 0, 8},
		{"spec.containers[-1]", 0, 8},
		{"spec.nodeName", 0, 18},
		{"spec.nodeName.more[3].x", 0, 18},
	} {
		want := tc.want
		if want > 0 {
			want += 10
		}
		if got := lines.Of(tc.path, tc.nth); got != want {
			t.Errorf("%s, %d: line %d, want %d", tc.path, tc.nth, got, want)
		}
	}
	for name, c := range map[string]Chunk{
		"JSON with tabs":  {Data: []byte("{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}"), Line: 1, JSON: true},
		"YAML with lines": {Data: []byte("a:\n\n  b: 1\n"), Line: 1},
	} {
		if got := FindLines(c).Of("a.b", 0); got != 3 {
			t.Errorf("%s: line %d", name, got)
		}
	}
	if got := FindLines(Chunk{Data: []byte("a: [\n"), Line: 5}).Of("a", 0); got != 0 {
		t.Errorf("of what is no YAML: line %d", got)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][]string{
		"": nil, "a": {"a"}, "a.b": {"a", "b"}, "a[0]": {"a", "#0"}, "a[0].b[12].c": {"a", "#0", "b", "#12", "c"}, "a[b.c/d].e": {"a", "b.c/d", "e"},
		"[0].a": {"#0", "a"}, "a[0][1]": {"a", "#0", "#1"}, "a[x": {"a", "x"}, "a[]": {"a", ""},
	} {
		if got := steps(path); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// A fault in what a default has copied is one of the field that somebody wrote.
func TestBlameWritten(t *testing.T) {
	t.Parallel()
	const doc = `{"spec":{"containers":[{"ports":[{"containerPort":80},{"containerPort":81,"hostPort":82}],"resources":{"limits":{"cpu":"-1","memory":"1"},"requests":{"memory":"2"}}}]}}`
	for at, want := range map[string]string{
		"spec.containers[0].ports[0].hostPort":          "spec.containers[0].ports[0].containerPort",
		"spec.containers[0].ports[1].hostPort":          "spec.containers[0].ports[1].hostPort",
		"spec.containers[0].ports[2].hostPort":          "spec.containers[0].ports[2].hostPort",
		"spec.containers[0].resources.requests[cpu]":    "spec.containers[0].resources.limits[cpu]",
		"spec.containers[0].resources.requests[memory]": "spec.containers[0].resources.requests[memory]",
		"spec.containers[0].resources.requests[gpu]":    "spec.containers[0].resources.requests[gpu]",
		"spec.containers[0].resources.limits[cpu]":      "spec.containers[0].resources.limits[cpu]",
		"spec.containers[x].ports":                      "spec.containers[x].ports",
	} {
		errs := BlameWritten(field.ErrorList{{Field: at}}, []byte(doc))
		if len(errs) != 1 || errs[0].Field != want {
			t.Errorf("%s: %v, want %s", at, errs[0].Field, want)
		}
	}
	if errs := BlameWritten(field.ErrorList{{Field: "a.hostPort"}}, []byte("no JSON")); errs[0].Field != "a.hostPort" {
		t.Error(errs)
	}
}

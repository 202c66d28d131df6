package decode

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestStrict(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, doc, want string }{
		{"a good pod", `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}}`, ""},
		{"a field of nobody", `{"spec":{"sidecars":[]}}`, `unknown field "spec.sidecars": correct its spelling or remove it`},
		{"a slip", `{"spec":{"hostNetwrok":true}}`, `unknown field "spec.hostNetwrok": did you mean hostNetwork?`},
		{"other capitals", `{"spec":{"hostnetwork":true}}`, `unknown field "spec.hostnetwork": did you mean hostNetwork?`},
		{"words with dashes", `{"spec":{"restart-policy":"Never","host_network":true}}`, `unknown field "spec.restart-policy": did you mean restartPolicy? / unknown field "spec.host_network": did you mean hostNetwork?`},
		{"a field of a container", `{"spec":{"image":"x"}}`, `unknown field "spec.image": it is a field of spec.containers[]; move it there`},
		{
			"a field of the spec", `{"spec":{"containers":[{"name":"c","restartPolicyy":"Never","hostNetwork":true}]}}`,
			`unknown field "spec.containers[0].restartPolicyy": did you mean restartPolicy? / unknown field "spec.containers[0].hostNetwork": it is a field of spec; move it there`,
		},
		{"a field of the top", `{"spec":{"metadata":{}}}`, `unknown field "spec.metadata": it belongs to the top of the document; move it there`},
		{"the beginning of a field", `{"spec":{"containers":[{"name":"c","liveness":{}}]}}`, `unknown field "spec.containers[0].liveness": did you mean livenessProbe?`},
		{"the beginning of two", `{"spec":{"containers":[{"name":"c","termination":{}}]}}`, `unknown field "spec.containers[0].termination": correct its spelling or remove it`},
		{"twice", `{"spec":{"nodeName":"a","nodeName":"b"}}`, `duplicate field "spec.nodeName": keep one of the two`},
		{"another type", `{"spec":{"hostNetwork":"yes"}}`, `spec.hostNetwork: Invalid value: "yes": must be true or false`},
		{"two other types", `{"spec":{"hostNetwork":1,"containers":{}}}`, `spec.containers: Invalid value: {}: must be a list / spec.hostNetwork: Invalid value: 1: must be true or false`},
		{"no JSON", `{"spec":`, `unexpected end of JSON input`},
		{"no object", `[]`, `<nil>: Invalid value: []: must be a mapping`},
	} {
		var said []string
		for _, f := range Strict([]byte(tc.doc), &corev1.Pod{}) {
			said = append(said, f.Text)
		}
		if got := strings.Join(said, " / "); got != tc.want {
			t.Errorf("%s: got\n%s, want\n%s", tc.name, got, tc.want)
		}
	}
	if f := Strict([]byte(`{"spec":{"nodeName":"a","nodeName":"b"}}`), &corev1.Pod{}); len(f) != 1 || f[0].Nth != 1 || f[0].Path != "spec.nodeName" || !f[0].Line {
		t.Errorf("the second of two: %+v", f)
	}
}

// Each value of another type is named, by the path in the file.
func TestTypeErrors(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`{"metadata":{"labels":{"b":1,"a":true}}}`:                            `metadata.labels[a]: Invalid value: true: must be a string: put it in quotes / metadata.labels[b]: Invalid value: 1: must be a string: put it in quotes`,
		`{"metadata":{"labels":[]}}`:                                          `metadata.labels: Invalid value: []: must be a mapping`,
		`{"spec":{"containers":[{"args":[1]}]}}`:                              `spec.containers[0].args[0]: Invalid value: 1: must be a string: put it in quotes`,
		`{"spec":{"containers":[{"ports":[{"containerPort":"80"}]}]}}`:        `spec.containers[0].ports[0].containerPort: Invalid value: "80": must be a number: remove the quotes`,
		`{"spec":{"containers":[{"ports":[{"containerPort":"web"}]}]}}`:       `spec.containers[0].ports[0].containerPort: Invalid value: "web": must be a whole number of at most 32 bits`,
		`{"spec":{"containers":[{"ports":[{"containerPort":4294967296}]}]}}`:  `spec.containers[0].ports[0].containerPort: Invalid value: 4294967296: must be a whole number of at most 32 bits`,
		`{"spec":{"activeDeadlineSeconds":1.5}}`:                              `spec.activeDeadlineSeconds: Invalid value: 1.5: must be a whole number of at most 64 bits`,
		`{"spec":{"hostPID":"true"}}`:                                         `spec.hostPID: Invalid value: "true": must be true or false: remove the quotes`,
		`{"spec":{"containers":[{"resources":{"limits":{"memory":"1GB"}}}]}}`: `spec.containers[0].resources.limits[memory]: Invalid value: "1GB": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'; write 1G or 1Gi`,
		`{"spec":{"nodeName":null,"containers":null}}`:                        ``,
		`{"spec":"x"}`: `spec: Invalid value: "x": must be a mapping`,
		`{`:            ``,
	} {
		var said []string
		for _, err := range TypeErrors([]byte(doc), &corev1.Pod{}) {
			said = append(said, err.Error())
		}
		if got := strings.Join(said, " / "); got != want {
			t.Errorf("%s: got\n%s, want\n%s", doc, got, want)
		}
	}
	for doc, want := range map[string]string{
		`{"data":{"a":"aGk="}}`:       "",
		`{"data":{"a":"aG\nk="}}`:     "",
		`{"data":{"a":"hi there"}}`:   `data[a]: Invalid value: "<redacted>": illegal base64 data at input byte 2; encode it (printf %s VALUE | base64), or write it as it is under stringData or data`,
		`{"data":{"a":1}}`:            `data[a]: Invalid value: 1: must be a string: put it in quotes`,
		`{"stringData":{"a":["x"]}}`:  `stringData[a]: Invalid value: ["x"]: must be a string: put it in quotes`,
		`{"immutable":"on"}`:          `immutable: Invalid value: "on": must be true or false`,
		`{"data":["aGk="],"type":{}}`: `data: Invalid value: ["aGk="]: must be a mapping / type: Invalid value: {}: must be a string: put it in quotes`,
	} {
		var said []string
		for _, err := range TypeErrors([]byte(doc), &corev1.Secret{}) {
			said = append(said, err.Error())
		}
		if got := strings.Join(said, " / "); got != want {
			t.Errorf("%s: got\n%s, want\n%s", doc, got, want)
		}
	}
}

// A sentence is said once, in the order of the errors.
func TestFaults(t *testing.T) {
	t.Parallel()
	a, b := field.Required(field.NewPath("a"), "x"), field.Required(field.NewPath("b"), "")
	if got := fmt.Sprint(Faults(field.ErrorList{b, a, b, a})); got != "[{b: Required value b 0 0 false} {a: Required value: x a 0 0 false}]" {
		t.Error(got)
	}
	if got := Faults(nil); len(got) != 0 {
		t.Error(got)
	}
}

// distance counts letters to insert, leave out, change or swap (Damerau and Levenshtein's, in its simple form).
func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abc", "abcd", 1},
		{"abc", "xbc", 1},
		{"kitten", "sitting", 3},
		{"abcd", "badc", 2},
		{"ab", "ba", 1},
		{strings.Repeat("a", 65), "a", 64},
	} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q, %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
	random := rand.New(rand.NewSource(2))
	word := func() string {
		b := make([]byte, random.Intn(9))
		for i := range b {
			b[i] = "abc"[random.Intn(3)]
		}
		return string(b)
	}
	for range 2000 {
		a, b := word(), word()
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
			t.Fatalf("%q, %q: %d and %d", a, b, d, distance(b, a))
		}
	}
}

func TestNearestOf(t *testing.T) {
	t.Parallel()
	names := []string{"restartPolicy", "hostNetwork", "hostPID", "os", "image"}
	for name, want := range map[string]string{
		"restartPolcy": "restartPolicy", "RESTART_POLICY": "restartPolicy", "host-network": "hostNetwork", "hostpdi": "hostPID", "imgae": "image", "images": "image",
		"so": "", "o": "", "": "", "restart": "", "netw": "", "imag3s": "image", "im4g3s": "", strings.Repeat("x", 100): "",
	} {
		if got := NearestOf(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

package spec

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestExpand holds the rules of the Kubernetes documentation and of its own expansion tests.
func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "one", "B": "two", "E": "", "A.B-c": "odd"}
	lookup := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	for in, want := range map[string]string{
		"":                 "",
		"plain":            "plain",
		"$(A)":             "one",
		"x$(A)y$(B)z":      "xoneytwoz",
		"$(UNKNOWN)":       "$(UNKNOWN)",
		"$$(A)":            "$(A)",
		"$$$(A)":           "$one",
		"$$$$(A)":          "$$(A)",
		"$":                "$",
		"a$":               "a$",
		"$$":               "$",
		"$(A":              "$(A",
		"$(A$(B)":          "$(A$(B)",
		"$A":               "$A",
		"$(E)":             "",
		"$(A.B-c)":         "odd",
		"$()":              "$()",
		"$(A)$(UNKNOWN)$$": "one$(UNKNOWN)$",
		"$(A) $B $(B)":     "one $B two",
	} {
		if got := Expand(in, lookup); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$(A)$$(B)$(")
	f.Fuzz(func(t *testing.T, s string) {
		Expand(s, func(string) (string, bool) { return "v", true })
		if got := Expand(s, func(name string) (string, bool) { return "$(" + name + ")", true }); len(got) > len(s) {
			t.Errorf("%q grew to %q", s, got)
		}
	})
}

// TestArgs is the table of the Kubernetes documentation on command and args.
func TestArgs(t *testing.T) {
	image := Image{Entrypoint: []string{"/ep-1"}, Cmd: []string{"foo", "bar"}}
	for _, tc := range []struct{ command, args, want []string }{
		{nil, nil, []string{"/ep-1", "foo", "bar"}},
		{[]string{"/ep-2"}, nil, []string{"/ep-2"}},
		{nil, []string{"zoo", "boo"}, []string{"/ep-1", "zoo", "boo"}},
		{[]string{"/ep-2"}, []string{"zoo", "$(X)"}, []string{"/ep-2", "zoo", "x"}},
	} {
		c := &Config{Image: image, Container: &corev1.Container{Command: tc.command, Args: tc.args}}
		declared := manifestEnv([]corev1.EnvVar{{Name: "X", Value: "x"}})
		if got := processArgs(c, declared); !slices.Equal(got, tc.want) {
			t.Errorf("%v %v: got %v, want %v", tc.command, tc.args, got, tc.want)
		}
	}
}

func TestEnv(t *testing.T) {
	c := &Config{
		Image: Image{Env: []string{"PATH=/image", "LANG=C", "A=image"}}, Sandbox: Sandbox{Hostname: "web"},
		Container: &corev1.Container{Env: []corev1.EnvVar{
			{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)$(C)"}, {Name: "C", Value: "3"}, {Name: "A", Value: "$(A)2"}, {Name: "D", Value: "$(LANG)"},
		}},
	}
	got := processEnv(c, manifestEnv(c.Container.Env))
	want := []string{"PATH=/image", "HOSTNAME=web", "LANG=C", "A=12", "B=1$(C)", "C=3", "D=$(LANG)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

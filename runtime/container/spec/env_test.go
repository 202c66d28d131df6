package spec

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A probe's command knows the values as they are written: kubernetes, pkg/kubelet/prober, runProbe.
func TestExpandCommand(t *testing.T) {
	t.Parallel()
	vars := []corev1.EnvVar{
		{Name: "A", Value: "1"},
		{Name: "B", Value: "$(A)2"},
		{Name: "D", Value: "a$$b"},
		{Name: "FROM", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		{Name: "TWICE", Value: "first"},
		{Name: "TWICE", Value: "last"},
	}
	for _, tc := range []struct {
		name    string
		command []string
		want    []string
	}{
		{"no command", nil, []string{}},
		{"plain", []string{"cat", "/tmp/ready"}, []string{"cat", "/tmp/ready"}},
		{"a value", []string{"echo", "x$(A)y"}, []string{"echo", "x1y"}},
		{"a value with a reference", []string{"$(B)"}, []string{"$(A)2"}},
		{"a value with two dollars", []string{"$(D)"}, []string{"a$$b"}},
		{"a value from elsewhere", []string{"[$(FROM)]"}, []string{"[]"}},
		{"the last of a name", []string{"$(TWICE)"}, []string{"last"}},
		{"not declared", []string{"$(HOSTNAME)", "$PATH"}, []string{"$(HOSTNAME)", "$PATH"}},
		{"escaped", []string{"$$(A)"}, []string{"$(A)"}},
	} {
		if got := ExpandCommand(tc.command, vars); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Neither what it is given nor what an image has is changed by expanding: configurations are kept and used again.
func TestArgsAreCopied(t *testing.T) {
	t.Parallel()
	image := Image{Entrypoint: append(make([]string, 0, 8), "/ep"), Cmd: []string{"$(A)"}}
	c := &Config{Image: image, Container: &corev1.Container{}}
	args := processArgs(c, manifestEnv([]corev1.EnvVar{{Name: "A", Value: "1"}}))
	if !slices.Equal(args, []string{"/ep", "$(A)"}) {
		t.Errorf("%q: references in an image's own command are no references", args)
	}
	args[0] = "changed"
	_ = append(args[:1], "more")
	if image.Entrypoint[0] != "/ep" || image.Cmd[0] != "$(A)" || image.Entrypoint[:2][1] != "" {
		t.Errorf("the image became %q %q", image.Entrypoint[:2], image.Cmd)
	}
	c.Container.Command = []string{"$(A)"}
	c.Container.Args = []string{}
	if args := processArgs(c, manifestEnv(nil)); !slices.Equal(args, []string{"$(A)"}) {
		t.Errorf("an empty list of args counts as none: %q", args)
	}
}

// What was resolved before is not looked at again: a Secret's value is no text of the manifest.
func TestResolvedEnv(t *testing.T) {
	t.Parallel()
	c := &Config{
		Env:       []corev1.EnvVar{{Name: "SECRET", Value: "$(A)"}, {Name: "A", Value: "1"}},
		Container: &corev1.Container{Command: []string{"$(SECRET)"}, Env: []corev1.EnvVar{{Name: "SECRET", Value: "of the manifest"}}},
	}
	declared := declaredEnv(c)
	if got := declared.list(); !slices.Equal(got, []string{"SECRET=$(A)", "A=1"}) {
		t.Errorf("environment %q", got)
	}
	if got := processArgs(c, declared); !slices.Equal(got, []string{"$(A)"}) {
		t.Errorf("args %q", got)
	}
	// An empty list is resolved too, and not the same as none.
	if c.Env = []corev1.EnvVar{}; len(declaredEnv(c).list()) != 0 {
		t.Errorf("environment %q", declaredEnv(c).list())
	}
}

func TestProcessEnv(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		c    Config
		vars []corev1.EnvVar
		want []string
	}{
		{"nothing", Config{}, nil, []string{defaultPath, "HOSTNAME="}},
		{"a terminal", Config{Container: &corev1.Container{TTY: true}}, nil, []string{defaultPath, "TERM=xterm", "HOSTNAME="}},
		{"the image's terminal", Config{Container: &corev1.Container{TTY: true}, Image: Image{Env: []string{"TERM=vt100"}}}, nil, []string{defaultPath, "TERM=vt100", "HOSTNAME="}},
		{"the image's host name", Config{Sandbox: Sandbox{Hostname: "web"}, Image: Image{Env: []string{"HOSTNAME=x"}}}, nil, []string{defaultPath, "HOSTNAME=x"}},
		{"the image twice", Config{Image: Image{Env: []string{"A=1", "B=2", "A=3"}}}, nil, []string{defaultPath, "HOSTNAME=", "A=3", "B=2"}},
		{"no equals sign", Config{Image: Image{Env: []string{"A"}}}, nil, []string{defaultPath, "HOSTNAME=", "A="}},
		{"more equals signs", Config{Image: Image{Env: []string{"A=b=c"}}}, nil, []string{defaultPath, "HOSTNAME=", "A=b=c"}},
		{"the manifest wins", Config{Image: Image{Env: []string{"PATH=/i", "A=1"}}}, []corev1.EnvVar{{Name: "PATH", Value: "/m"}, {Name: "A"}}, []string{"PATH=/m", "HOSTNAME=", "A="}},
	} {
		if tc.c.Container == nil {
			tc.c.Container = &corev1.Container{}
		}
		if got := processEnv(&tc.c, manifestEnv(tc.vars)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// The kubelet's words and rules: pkg/kubelet/container, ExpandContainerVolumeMounts.
func TestExpandSubPath(t *testing.T) {
	t.Parallel()
	c := &Config{Container: &corev1.Container{Env: []corev1.EnvVar{
		{Name: "POD", Value: "web"}, {Name: "BOTH", Value: "$(POD)-1"}, {Name: "EMPTY"}, {Name: "UP", Value: ".."},
	}}}
	for _, tc := range []struct{ name, expr, want, bad string }{
		{"plain", "logs", "logs", ""},
		{"a variable", "$(POD)/logs", "web/logs", ""},
		{"one of another", "$(BOTH)", "web-1", ""},
		{"escaped", "$$(POD)", "$(POD)", ""},
		{"open", "$(POD", "$(POD", ""},
		{"whatever it says", "a/$(UP)", "a/..", ""},
		{"not there", "$(NONE)", "", "missing value for NONE"},
		{"empty", "$(EMPTY)/logs", "", "missing value for EMPTY"},
		{"the image's are not known", "$(PATH)", "", "missing value for PATH"},
		{"all that are missing, each once and sorted", "$(Z)$(POD)$(EMPTY)$(A)$(Z)", "", "missing value for A, EMPTY, Z"},
		{"no name", "$()", "", "missing value for "},
	} {
		got, err := c.ExpandSubPath(tc.expr)
		if said := errorText(err); got != tc.want || said != tc.bad {
			t.Errorf("%s: %q, %q, want %q, %q", tc.name, got, said, tc.want, tc.bad)
		}
	}
	// What was resolved counts before what the manifest says.
	c.Env = []corev1.EnvVar{{Name: "NONE", Value: "node-1"}}
	if got, err := c.ExpandSubPath("$(NONE)"); got != "node-1" || err != nil {
		t.Errorf("resolved: %q, %v", got, err)
	}
	if _, err := c.ExpandSubPath("$(POD)"); errorText(err) != "missing value for POD" {
		t.Errorf("not resolved: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestHooks(t *testing.T) {
	t.Parallel()
	if got := hooks(nil); got != nil {
		t.Errorf("without hooks: %+v", got)
	}
	stages := []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
	list := []Hook{{Stage: "unknown", Path: "/no"}}
	for _, stage := range stages {
		for _, n := range []string{"1", "2"} {
			list = append(list, Hook{Stage: stage, Path: "/" + stage + n, Args: []string{stage, n}, Env: []string{"N=" + n}, Timeout: ptr(7)})
		}
	}
	got := reflect.ValueOf(*hooks(list))
	for i := range got.NumField() {
		stage := stages[i]
		if name := got.Type().Field(i).Name; !strings.EqualFold(name, stage) {
			t.Fatalf("OCI has %s at the place of %s", name, stage)
		}
		if got.Field(i).Len() != 2 {
			t.Errorf("%s has %d hooks", stage, got.Field(i).Len())
			continue
		}
		for n, suffix := range []string{"1", "2"} { // in the order in which they are listed
			h := got.Field(i).Index(n)
			if h.FieldByName("Path").String() != "/"+stage+suffix || h.FieldByName("Args").Index(1).String() != suffix ||
				h.FieldByName("Env").Index(0).String() != "N="+suffix || h.FieldByName("Timeout").Elem().Int() != 7 {
				t.Errorf("%s: %+v", stage, h)
			}
		}
	}
}

package runtimeclass

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"podd/runtime/state"
)

func TestHandlerOf(t *testing.T) {
	handlers := Handlers{"nvidia": {CDIDevices: []string{"nvidia.com/gpu=all"}}, "runc": {UserNamespaces: state.UsersAuto}}
	pod := decode[corev1.Pod](t, `{"spec":{"runtimeClassName":"c"}}`)
	for _, tc := range []struct{ handler, want, err string }{
		{"nvidia", "The pod is run by runtime handler nvidia: CDI devices nvidia.com/gpu=all", ""},
		{"crun", "The pod is run by runtime handler crun, as pods without a class", ""},
		{"runc", "The pod is run by runtime handler runc: user namespaces auto", ""},
		{"kata", "", `no runtime for "kata" is configured; name it below runtimeHandlers in podd's configuration, which has crun, nvidia, podd, runc`},
		{"", "", `runtimeclass.node.k8s.io "c" not found`},
	} {
		var class *nodev1.RuntimeClass
		if tc.handler != "" {
			class = &nodev1.RuntimeClass{Handler: tc.handler}
		}
		got, err := handlers.Of(pod, class)
		switch {
		case err != nil && err.Error() != tc.err, err == nil && tc.err != "":
			t.Errorf("%s: %v, want %s", tc.handler, err, tc.err)
		case err == nil && got.Text() != tc.want:
			t.Errorf("%s: %s, want %s", tc.handler, got.Text(), tc.want)
		}
	}
	if got, err := handlers.Of(&corev1.Pod{}, nil); got != nil || err != nil {
		t.Errorf("without a class: %v, %v", got, err)
	}
	if got := handlers.Names(); !slices.Equal(got, []string{"crun", "nvidia", "podd", "runc"}) {
		t.Errorf("names %q", got)
	}
}

func TestCheckHandlers(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:       "",
		`{"a":{}}`: "",
		`{"A":{}}`: `"A" cannot be the name of a handler`,
		`{"a":{"userNamespaces":"auto","seccompProfile":{"type":"Localhost","localhostProfile":"a/b.json"},"appArmorProfile":{"type":"RuntimeDefault"},"sysctls":{"net.core.somaxconn":"1"}}}`: "",
		`{"a":{"userNamespaces":"host"}}`:                                           `a: userNamespaces must be auto or required, not "host"`,
		`{"a":{"userNamespaces":"required","cdiDevices":["a.com/b=c"]}}`:            "a: userNamespaces: required does not go with cdiDevices",
		`{"a":{"seccompProfile":{"type":"Unconfined"}}}`:                            `a: seccompProfile.type must be RuntimeDefault or Localhost, not "Unconfined"`,
		`{"a":{"seccompProfile":{"type":"Localhost"}}}`:                             "a: seccompProfile.localhostProfile must be there",
		`{"a":{"seccompProfile":{"type":"Localhost","localhostProfile":"../x"}}}`:   `a: seccompProfile.localhostProfile "../x" must be a path below`,
		`{"a":{"seccompProfile":{"type":"RuntimeDefault","localhostProfile":"x"}}}`: "a: seccompProfile.localhostProfile must not be there",
		`{"a":{"appArmorProfile":{"type":"Unconfined"}}}`:                           "a: appArmorProfile.type must be",
		`{"a":{"cdiDevices":["gpu"]}}`:                                              `a: cdiDevices: "gpu" must be the name of a CDI device`,
		`{"a":{"sysctls":{"vm.swappiness":"1"}}}`:                                   `a: sysctls: "vm.swappiness" is not known to belong`,
		`{"a":{"sysctls":{"net.core.*":"1"}}}`:                                      `a: sysctls: "net.core.*" must be the name of one sysctl`,
	} {
		got := ""
		if err := decode[Handlers](t, text).Check(); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

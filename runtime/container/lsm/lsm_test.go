package lsm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// machine has some security modules.
func machine(t *testing.T, files map[string]string) Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Root: root}
}

func pod(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

const (
	enabled, profiles = "sys/module/apparmor/parameters/enabled", "sys/kernel/security/apparmor/profiles"
	annotated         = `{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"`
)

func TestProfile(t *testing.T) {
	armed := map[string]string{enabled: "Y\n", profiles: "podd-default (enforce)\nmine (complain)\ntwo words (enforce)\n"}
	bare := map[string]string{enabled: "Y\n", profiles: "other-podd-default (enforce)\n"}
	off := map[string]string{enabled: "N\n", profiles: ""}
	for _, tc := range []struct {
		name, pod string
		sys       map[string]string
		want, err string
		armor     string
	}{
		{"by default", `{"spec":{"containers":[{"name":"c"}]}}`, armed, "podd-default", "", ""},
		{"not loaded", `{"spec":{"containers":[{"name":"c"}]}}`, bare, "", "", ""},
		{"no AppArmor", `{"spec":{"containers":[{"name":"c"}]}}`, nil, "", "", ""},
		{"off", `{"spec":{"containers":[{"name":"c"}]}}`, off, "", "", ""},
		{"privileged", `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}`, armed, "", "", ""},
		{"privileged with a profile", `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true,"appArmorProfile":{"type":"Localhost","localhostProfile":"mine"}}}]}}`, armed, "mine", "", ""},
		{"unconfined", `{"spec":{"securityContext":{"appArmorProfile":{"type":"Unconfined"}},"containers":[{"name":"c"}]}}`, armed, "", "", ""},
		{"unconfined without AppArmor", `{"spec":{"securityContext":{"appArmorProfile":{"type":"Unconfined"}},"containers":[{"name":"c"}]}}`, nil, "", "", ""},
		{"the pod's", `{"spec":{"securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":"two words"}},"containers":[{"name":"c"}]}}`, armed, "two words", "", ""},
		{"the container's", `{"spec":{"securityContext":{"appArmorProfile":{"type":"Unconfined"}},"containers":[{"name":"c","securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}]}}`, armed, "podd-default", "", ""},
		{"missing", `{"spec":{"securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":"none"}},"containers":[{"name":"c"}]}}`, armed, "", "apparmor profile not found none", ""},
		{"missing default", `{"spec":{"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"c"}]}}`, bare, "", "apparmor profile not found podd-default", ""},
		{
			"asked where there is none", `{"spec":{"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"c"}]}}`, off, "",
			`apparmor is not supported on this machine, and container "c" asks for it`, "Cannot enforce AppArmor: AppArmor is not enabled on the host",
		},
		{"annotation", annotated + `localhost/mine"}},"spec":{"securityContext":{"appArmorProfile":{"type":"Unconfined"}},"containers":[{"name":"c"}]}}`, armed, "mine", "", ""},
		{"annotation, unconfined", annotated + `unconfined"}},"spec":{"containers":[{"name":"c"}]}}`, armed, "", "", ""},
		{"annotation, default", annotated + `runtime/default"}},"spec":{"containers":[{"name":"c"}]}}`, nil, "", `apparmor is not supported on this machine, and container "c" asks for it`, "Cannot enforce AppArmor: AppArmor is not enabled on the host"},
		{"annotation beside the field", annotated + `localhost/none"}},"spec":{"containers":[{"name":"c","securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":"mine"}}}]}}`, armed, "mine", "", ""},
	} {
		m, p := machine(t, tc.sys), pod(t, tc.pod)
		got, err := m.Profile(p, &p.Spec.Containers[0], nil)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != tc.want || said != tc.err {
			t.Errorf("%s: %q, %q, want %q, %q", tc.name, got, said, tc.want, tc.err)
		}
		if armor := m.ForbidsAppArmor(p); armor != tc.armor {
			t.Errorf("%s: refused with %q, want %q", tc.name, armor, tc.armor)
		}
	}
}

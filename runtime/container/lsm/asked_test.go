package lsm

import (
	"fmt"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A preset is for containers that name no profile themselves and are not privileged.
func TestPresetProfile(t *testing.T) {
	t.Parallel()
	armed := map[string]string{enabled: "Y\n", profiles: "podd-default (enforce)\nmine (enforce)\nother (enforce)\n"}
	local := func(name string) *corev1.AppArmorProfile {
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &name}
	}
	const (
		plain      = `{"spec":{"containers":[{"name":"c"}]}}`
		named      = `{"spec":{"containers":[{"name":"c","securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":"other"}}}]}}`
		privileged = `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}`
	)
	for _, tc := range []struct {
		name, pod string
		preset    *corev1.AppArmorProfile
		sys       map[string]string
		want, err string
	}{
		{"none", plain, nil, armed, "podd-default", ""},
		{"a profile", plain, local("mine"), armed, "mine", ""},
		{"Unconfined", plain, &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}, armed, "", ""},
		{"RuntimeDefault", plain, &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}, armed, "podd-default", ""},
		{"the container's own goes first", named, local("mine"), armed, "other", ""},
		{"a privileged one has none", privileged, local("mine"), armed, "", ""},
		{"not loaded", plain, local("gone"), armed, "", "apparmor profile not found gone"},
		{"no AppArmor", plain, local("mine"), nil, "", `apparmor is not supported on this machine, and container "c" asks for it`},
		{"a profile without a name", plain, &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost}, armed, "podd-default", ""},
	} {
		p := pod(t, tc.pod)
		got, err := machine(t, tc.sys).Profile(p, &p.Spec.Containers[0], tc.preset)
		if got != tc.want || said(err) != tc.err {
			t.Errorf("%s: %q, %v; want %q, %q", tc.name, got, err, tc.want, tc.err)
		}
	}
}

// A kernel whose list cannot be read fails those that ask, and nobody else.
func TestProfilesThatCannotBeListed(t *testing.T) {
	t.Parallel()
	m := machine(t, map[string]string{enabled: "Y\n", "sys/kernel/security/apparmor/features": ""})
	p := pod(t, `{"spec":{"containers":[{"name":"c"}]}}`)
	c := &p.Spec.Containers[0]
	if got, err := m.Profile(p, c, nil); got != "" || err != nil {
		t.Errorf("who asks for nothing: %q, %v", got, err)
	}
	asked := &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	if got, err := m.Profile(p, c, asked); got != "" || err == nil || said(err)[:33] != "cannot list the AppArmor profiles" {
		t.Errorf("who asks: %q, %v", got, err)
	}
}

func TestEnforces(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"no module", nil, false},
		{"on", map[string]string{enabled: "Y\n", profiles: ""}, true},
		{"off", map[string]string{enabled: "N\n", profiles: ""}, false},
		{"on, and its file system is not mounted", map[string]string{enabled: "Y\n"}, false},
		{"no parameter", map[string]string{profiles: ""}, false},
		{"an empty parameter", map[string]string{enabled: "", profiles: ""}, false},
	} {
		if got := machine(t, tc.files).Enforces(); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

// One container of either kind is enough for a pod to be refused; one that asks for none is not.
func TestForbidsAppArmor(t *testing.T) {
	t.Parallel()
	const refused = "Cannot enforce AppArmor: AppArmor is not enabled on the host" // pkg/kubelet/lifecycle
	const asks, not = `{"name":"a","securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}`, `{"name":"b"}`
	const unconfined = `{"name":"u","securityContext":{"appArmorProfile":{"type":"Unconfined"}}}`
	for _, tc := range []struct{ name, init, containers, want string }{
		{"none", "", not, ""},
		{"the second", "", not + "," + asks, refused},
		{"an init container", asks, not, refused},
		{"unconfined is nothing to enforce", unconfined, unconfined, ""},
	} {
		p := pod(t, fmt.Sprintf(`{"spec":{"initContainers":[%s],"containers":[%s]}}`, tc.init, tc.containers))
		if got := machine(t, nil).ForbidsAppArmor(p); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
		armed := machine(t, map[string]string{enabled: "Y\n", profiles: ""})
		if got := armed.ForbidsAppArmor(p); got != "" {
			t.Errorf("%s, where AppArmor is on: %q", tc.name, got)
		}
	}
}

// The form is containerd's: sensitivities, then categories with ranges.
func TestCheckLevel(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"", "s0", "s9", "s0-s1", "s0:c0", "s0:c1023", "s0:c1,c2", "s0:c0.c1023", "s0-s0:c0.c3,c7,c9.c1023"} {
		if err := checkLevel(level); err != nil {
			t.Errorf("%q: %v", level, err)
		}
	}
	for _, level := range []string{"s", "0", "S0", "s10", "s0:", "s0:c", "s0:c12345", "s0:c1,", "s0:c1.", "s0 ", " s0", "s0\n", "s0-", "c1", "s0:c1;c2", "s0:s1"} {
		if err := checkLevel(level); said(err) != fmt.Sprintf("the format of 'level' %q is not correct", level) {
			t.Errorf("%q: %v", level, err)
		}
	}
}

func TestLevelAsked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, pod string
		want      bool
	}{
		{"nothing", `{"spec":{"containers":[{"name":"c"}]}}`, false},
		{"the pod", `{"spec":{"securityContext":{"seLinuxOptions":{"level":"s0"}},"containers":[{"name":"c"}]}}`, true},
		{"the pod, another option", `{"spec":{"securityContext":{"seLinuxOptions":{"type":"t"}},"containers":[{"name":"c"}]}}`, false},
		{"the container", `{"spec":{"containers":[{"name":"c","securityContext":{"seLinuxOptions":{"level":"s0"}}}]}}`, true},
		// The container's options count as a whole, and they have no level.
		{"the container instead of the pod", `{"spec":{"securityContext":{"seLinuxOptions":{"level":"s0"}},"containers":[{"name":"c","securityContext":{"seLinuxOptions":{"type":"t"}}}]}}`, false},
		{"a privileged one has the lowest", `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}`, true},
	} {
		p := pod(t, tc.pod)
		if got := LevelAsked(p, &p.Spec.Containers[0]); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	m := machine(t, map[string]string{
		"proc/1/attr/current": "system_u:system_r:container_t:s0:c1,c2\x00", "proc/2/attr/current": "u:r:t\n", "proc/3/attr/current": "podd-default (enforce)\n", "proc/4/attr/current": "",
	})
	for pid, want := range map[int]string{1: "s0:c1,c2", 2: "", 3: "", 4: "", 5: ""} {
		if got := m.LevelOf(pid); got != want {
			t.Errorf("process %d: %q, want %q", pid, got, want)
		}
	}
}

// A label is what its parts make, and its parts are what it was made of.
func TestLabelRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"u:r:t", "u:r:t:s0", "u:r:t:s0:c1,c2", "u:r:t:s0-s1:c0.c1023", "::"} {
		if got := parseLabel(text).String(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for text, want := range map[string]label{"": {}, "u": {user: "u"}, "u:r": {user: "u", role: "r"}, "u:r:t:s0:c1": {"u", "r", "t", "s0:c1"}} {
		if got := parseLabel(text); got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestSetting(t *testing.T) {
	t.Parallel()
	text := []byte("# process = \"no\"\nprocess= \"u:r:t:s0\"\nprocess = \"second\"\n file =plain\nempty=\nnone\nro_file\t=\t\"a=b\"")
	for key, want := range map[string]string{"process": "u:r:t:s0", "file": "plain", "empty": "", "none": "", "ro_file": "a=b", "": "", "proc": ""} {
		if got := setting(text, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestHasLevels(t *testing.T) {
	t.Parallel()
	const enforce, mls, own = "sys/fs/selinux/enforce", "sys/fs/selinux/mls", "proc/self/attr/current"
	for _, tc := range []struct {
		name              string
		files             map[string]string
		labelling, levels bool
	}{
		{"off", nil, false, false},
		{"on", map[string]string{enforce: "0", mls: "1\n", own: "u:r:t:s0\x00"}, true, true},
		{"without levels", map[string]string{enforce: "1", mls: "0", own: "u:r:t\x00"}, true, false},
		{"no policy yet", map[string]string{enforce: "0", mls: "1", own: "kernel\x00"}, false, false},
		{"no label", map[string]string{enforce: "0", mls: "1"}, false, false},
		{"no word of levels", map[string]string{enforce: "1", own: "u:r:t"}, true, false},
	} {
		m := machine(t, tc.files)
		if m.Labelling() != tc.labelling || m.HasLevels() != tc.levels {
			t.Errorf("%s: %t, levels %t", tc.name, m.Labelling(), m.HasLevels())
		}
	}
}

// An image gets a label only where there are labels without levels too, and none that the policy does not know.
func TestImageLabelOfPolicies(t *testing.T) {
	t.Parallel()
	files := map[string]string{"sys/fs/selinux/enforce": "1", "sys/fs/selinux/mls": "0", "sys/fs/selinux/context": "", "proc/self/attr/current": "u:r:t\x00"}
	m := machine(t, files)
	if got := m.ImageLabel(); got != "system_u:object_r:container_ro_file_t" {
		t.Errorf("without levels: %q", got)
	}
	if err := os.Remove(m.path("sys/fs/selinux/context")); err != nil {
		t.Fatal(err)
	}
	if got := m.ImageLabel(); got != "" {
		t.Errorf("of a policy that knows no containers: %q", got)
	}
}

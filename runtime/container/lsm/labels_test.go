package lsm

import (
	"maps"
	"os"
	"testing"
)

func TestLabels(t *testing.T) {
	on := map[string]string{
		"sys/fs/selinux/enforce": "1", "sys/fs/selinux/mls": "1", "sys/fs/selinux/context": "",
		"proc/self/attr/current": "system_u:system_r:container_runtime_t:s0\x00",
	}
	with := func(more map[string]string) map[string]string {
		out := maps.Clone(on)
		maps.Copy(out, more)
		return out
	}
	const pair = "s0:c1,c2"
	plain := `{"spec":{"containers":[{"name":"c"}]}}`
	asks := func(options string) string {
		return `{"spec":{"securityContext":{"seLinuxOptions":{"type":"of_pod_t"}},"containers":[{"name":"c","securityContext":` + options + `}]}}`
	}
	for _, tc := range []struct {
		name, pod, level string
		files            map[string]string
		process, mount   string
		err              string
	}{
		{name: "off", pod: asks(`{"seLinuxOptions":{"type":"t"}}`), level: pair},
		{name: "no policy", pod: plain, level: pair, files: with(map[string]string{"proc/self/attr/current": "kernel\x00"})},
		{name: "by default", pod: plain, level: pair, files: on, process: "system_u:system_r:container_t:s0:c1,c2", mount: "system_u:object_r:container_file_t:s0:c1,c2"},
		{
			name: "the policy's names", pod: plain, level: pair,
			files: with(map[string]string{
				"etc/selinux/config":                         "# SELINUXTYPE=x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
				"etc/selinux/targeted/contexts/lxc_contexts": "process = \"u:r:svirt_t:s0\"\nfile = \"u:o:svirt_file_t:s0\"\nro_file=\"u:o:ro_t:s0\"\n",
			}),
			process: "u:r:svirt_t:s0:c1,c2", mount: "u:o:svirt_file_t:s0:c1,c2",
		},
		{name: "without levels", pod: plain, files: with(map[string]string{"sys/fs/selinux/mls": "0"}), process: "system_u:system_r:container_t", mount: "system_u:object_r:container_file_t"},
		{name: "level lost", pod: plain, files: on, err: ErrNoLevel.Error()},
		{name: "of the pod", pod: asks(`{}`), level: pair, files: on, process: "system_u:system_r:of_pod_t:s0:c1,c2", mount: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "of the container, as a whole", pod: asks(`{"seLinuxOptions":{"level":"s0:c7,c9"}}`), level: pair, files: on, process: "system_u:system_r:container_t:s0:c7,c9", mount: "system_u:object_r:container_file_t:s0:c7,c9"},
		{name: "all of it", pod: asks(`{"seLinuxOptions":{"user":"u","role":"r","type":"t","level":"s1-s2:c3.c5"}}`), level: pair, files: on, process: "u:r:t:s1-s2:c3.c5", mount: "u:object_r:container_file_t:s1-s2:c3.c5"},
		{name: "nothing at all", pod: `{"spec":{"containers":[{"name":"c","securityContext":{"seLinuxOptions":{}}}]}}`, level: pair, files: on, process: "system_u:system_r:container_t:s0:c1,c2", mount: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "privileged", pod: `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}}`, level: pair, files: on, process: "system_u:system_r:spc_t:s0", mount: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "privileged, with a type", pod: `{"spec":{"containers":[{"name":"c","securityContext":{"privileged":true,"seLinuxOptions":{"type":"t"}}}]}}`, level: pair, files: on, process: "system_u:system_r:t:s0", mount: "system_u:object_r:container_file_t:s0:c1,c2"},
		{name: "bad level", pod: asks(`{"seLinuxOptions":{"level":"x"}}`), level: pair, files: on, err: `the format of 'level' "x" is not correct`},
	} {
		m, p := machine(t, tc.files), pod(t, tc.pod)
		got, err := m.Labels(p, &p.Spec.Containers[0], tc.level)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != (Labels{tc.process, tc.mount}) || said != tc.err {
			t.Errorf("%s: %+v, %q, want %q, %q, %q", tc.name, got, said, tc.process, tc.mount, tc.err)
		}
	}

	for _, tc := range []struct {
		files map[string]string
		want  string
	}{
		{nil, ""},
		{on, "system_u:object_r:container_ro_file_t:s0"},
		{with(map[string]string{"usr/share/containers/selinux/contexts": "ro_file = \"u:o:ro_t:s0\"\n"}), "u:o:ro_t:s0"},
	} {
		if got := machine(t, tc.files).ImageLabel(); got != tc.want {
			t.Errorf("images have the label %q, want %q", got, tc.want)
		}
	}

	// A policy that knows no containers.
	m := machine(t, on)
	if err := os.Remove(m.path("sys/fs/selinux/context")); err != nil {
		t.Fatal(err)
	}
	p := pod(t, plain)
	if got, err := m.Labels(p, &p.Spec.Containers[0], pair); err != nil || got != (Labels{}) {
		t.Errorf("with a policy that knows no containers: %+v, %v", got, err)
	}
	p = pod(t, asks(`{}`))
	want := `the SELinux policy of this machine has no label "system_u:system_r:of_pod_t:s0:c1,c2", which seLinuxOptions of container "c" ask for`
	if _, err := m.Labels(p, &p.Spec.Containers[0], pair); err == nil || err.Error() != want {
		t.Errorf("a label that the policy does not know: %v", err)
	}
}

// Where it is to be so, a pod that asks for labels runs with them or not at all.
func TestForbidsSELinux(t *testing.T) {
	on := map[string]string{"sys/fs/selinux/enforce": "0", "proc/self/attr/current": "u:r:t\x00"} // permissive: it is there
	none := map[string]string{"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "kernel\x00"}
	const refused = "Cannot enforce SELinux: SELinux is not enabled on the host; turn it on, remove seLinuxOptions, or let the node ignore them (unenforcedSELinux: ignore)"
	for _, tc := range []struct{ name, pod, off string }{
		{"asks for nothing", `{"spec":{"containers":[{"name":"c"}]}}`, ""},
		{"empty options", `{"spec":{"securityContext":{"seLinuxOptions":{}},"containers":[{"name":"c"}]}}`, ""},
		{"of the pod", `{"spec":{"securityContext":{"seLinuxOptions":{"level":"s0:c1,c2"}},"containers":[{"name":"c"}]}}`, refused},
		{"of a container", `{"spec":{"containers":[{"name":"c"},{"name":"d","securityContext":{"seLinuxOptions":{"type":"t"}}}]}}`, refused},
		{"of an init container", `{"spec":{"initContainers":[{"name":"i","securityContext":{"seLinuxOptions":{"user":"u"}}}],"containers":[{"name":"c"}]}}`, refused},
		{"the type that confines nothing", `{"spec":{"securityContext":{"seLinuxOptions":{"type":"spc_t"}},"containers":[{"name":"c"}]}}`, ""},
		{"that type, but for one container", `{"spec":{"securityContext":{"seLinuxOptions":{"type":"spc_t"}},"containers":[{"name":"c"},{"name":"d","securityContext":{"seLinuxOptions":{"type":"t"}}}]}}`, refused},
		{"a type of the pod's that no container has", `{"spec":{"securityContext":{"seLinuxOptions":{"type":"t"}},"containers":[{"name":"c","securityContext":{"seLinuxOptions":{"type":"spc_t"}}}]}}`, ""},
	} {
		for state, c := range map[string]struct {
			files map[string]string
			want  string
		}{"off": {nil, tc.off}, "no policy": {none, tc.off}, "on": {on, ""}} {
			if got := machine(t, c.files).ForbidsSELinux(pod(t, tc.pod)); got != c.want {
				t.Errorf("%s, SELinux %s: %q, want %q", tc.name, state, got, c.want)
			}
		}
	}
}

// What is ignored is named.
func TestUnlabelled(t *testing.T) {
	p := pod(t, `{"spec":{"securityContext":{"seLinuxOptions":{"user":"u","role":"r","type":"t","level":"s0:c1,c2"}},"containers":[{"name":"c"},{"name":"d","securityContext":{"seLinuxOptions":{"level":"s0"}}},{"name":"e","securityContext":{"seLinuxOptions":{"type":"spc_t","level":"s0"}}}]}}`)
	for i, want := range []string{"user u, role r, type t, level s0:c1,c2", "level s0", ""} {
		c := &p.Spec.Containers[i]
		if got := machine(t, nil).Unlabelled(p, c); got != want {
			t.Errorf("container %s: %q, want %q", c.Name, got, want)
		}
		if got := machine(t, map[string]string{"sys/fs/selinux/enforce": "0", "proc/self/attr/current": "u:r:t\x00"}).Unlabelled(p, c); got != "" {
			t.Errorf("container %s is unlabelled where SELinux is on: %q", c.Name, got)
		}
	}
}

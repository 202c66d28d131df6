package spec

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSpecGolden holds the whole OCI spec of a few containers, so that no option of a mount and no path changes unseen.
func TestSpecGolden(t *testing.T) {
	image := Image{Entrypoint: []string{"/app"}, Cmd: []string{"serve"}, Env: []string{"PATH=/bin", "LANG=C"}, WorkingDir: "/srv"}
	sandbox := Sandbox{
		NetNS: "/run/ns/net", IPCNS: "/run/ns/ipc", UTSNS: "/run/ns/uts", CgroupPath: "/podd/kubepods/burstable/pod1", Hostname: "web",
		HostsFile: "/run/s/hosts", HostnameFile: "/run/s/hostname", ResolvFile: "/run/s/resolv.conf", ShmDir: "/run/s/shm",
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"}}
	for name, c := range map[string]*Config{
		"plain": {Container: &corev1.Container{Name: "c", TerminationMessagePath: "/dev/termination-log"}, TerminationLog: "/run/s/c.0.termination"},
		"limited": {OOMGroup: true, CgroupNS: true, OOMScoreAdj: ptr(500), Container: &corev1.Container{
			Name: "c", Command: []string{"/bin/sh"}, Args: []string{"-c", "echo $(NAME)"}, WorkingDir: "/tmp/$(NAME)",
			Env: []corev1.EnvVar{{Name: "NAME", Value: "podd"}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			},
			SecurityContext: &corev1.SecurityContext{
				ReadOnlyRootFilesystem: ptr(true), AllowPrivilegeEscalation: ptr(false),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_BIND_SERVICE"}},
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.ID, c.Pod, c.Image, c.Sandbox = "id", pod, image, sandbox
			spec, err := Build(c, Identity{UID: 1000, GID: 100, Groups: []int{5}}, "/run/roots/id")
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(spec, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != string(got)+"\n" {
				t.Errorf("%s differs (%v); if it is meant, run with -update\n%s", golden, err, got)
			}
		})
	}
}

// TestPrivilegedSpec: nothing is hidden, everything is allowed, and the host's devices are there.
func TestPrivilegedSpec(t *testing.T) {
	c := &Config{
		ID: "id", Pod: &corev1.Pod{}, Image: Image{Entrypoint: []string{"/app"}}, CgroupNS: true,
		Container: &corev1.Container{Name: "c", SecurityContext: &corev1.SecurityContext{Privileged: ptr(true)}},
	}
	spec, err := Build(c, Identity{}, "/root")
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Linux.MaskedPaths)+len(spec.Linux.ReadonlyPaths) != 0 || !spec.Linux.Resources.Devices[0].Allow || len(spec.Linux.Devices) == 0 {
		t.Errorf("masked %v, readonly %v, devices %v", spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths, spec.Linux.Resources.Devices)
	}
	for _, ns := range spec.Linux.Namespaces {
		if ns.Type == specs.CgroupNamespace {
			t.Error("its cgroup is hidden from the host's")
		}
	}
	if len(spec.Process.Capabilities.Bounding) <= len(defaultCapabilities()) {
		t.Errorf("capabilities %v", spec.Process.Capabilities.Bounding)
	}
}

func TestCapabilities(t *testing.T) {
	names := func(add, drop []corev1.Capability) []string {
		got, err := capabilities(&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: add, Drop: drop}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := names([]corev1.Capability{"SYS_TIME", "CAP_CHOWN"}, nil); len(got) != len(defaultCapabilities())+1 {
		t.Errorf("added: %v", got)
	}
	if got := names(nil, []corev1.Capability{"chown"}); len(got) != len(defaultCapabilities())-1 {
		t.Errorf("dropped: %v", got)
	}
	if got := names([]corev1.Capability{"SYS_TIME"}, []corev1.Capability{"ALL"}); len(got) != 1 || got[0] != "CAP_SYS_TIME" {
		t.Errorf("all dropped, one added: %v", got)
	}
	if got := names([]corev1.Capability{"SYS_TIME"}, []corev1.Capability{"SYS_TIME"}); len(got) != len(defaultCapabilities()) {
		t.Errorf("added and dropped: %v", got)
	}
}

// A layer in memory is only for containers that cannot make their root writable: it would fill what podd lives in.
func TestNeverWritesRoot(t *testing.T) {
	for _, c := range []struct {
		context *corev1.SecurityContext
		want    bool
	}{
		{nil, false},
		{&corev1.SecurityContext{}, false},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(false)}, false},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(true)}, true},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(true), Privileged: ptr(true)}, false},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(true), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}}, false},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(true), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"ALL"}}}, false},
		{&corev1.SecurityContext{ReadOnlyRootFilesystem: ptr(true), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}}, true},
	} {
		if got := NeverWritesRoot(&Config{Container: &corev1.Container{SecurityContext: c.context}}); got != c.want {
			t.Errorf("%v: %v, want %v", c.context, got, c.want)
		}
	}
}

package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/sandbox/userns"
	"podd/test/harness"
)

// What a runtime handler presets is there in the containers of its pods, unless these say otherwise themselves.
func TestRuntimeHandlerPresets(t *testing.T) {
	t.Parallel()
	file := configFile(t, `runtimeHandlers:
  tight:
    seccompProfile: {type: Localhost, localhostProfile: tight.json}
    sysctls: {net.ipv4.tcp_keepalive_time: "77", kernel.msgmax: "9000"}
  armored: {appArmorProfile: {type: Localhost, localhostProfile: nobody-has-this}}
  mapped: {userNamespaces: required}
`)
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	profiles := filepath.Join(b.Root, "seccomp")
	b.Must(os.MkdirAll(profiles, 0o755))
	b.Must(os.WriteFile(filepath.Join(profiles, "tight.json"), []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}`), 0o600))
	for _, name := range []string{"tight", "armored", "mapped"} {
		b.MustDrop("class-"+name, fmt.Sprintf("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: %s}\nhandler: %s\n", name, name))
	}
	b.MustDrop("tight", harness.PodOf("tight", "runtimeClassName: tight",
		"securityContext: {sysctls: [{name: net.ipv4.tcp_keepalive_time, value: '78'}]}",
		harness.ContainerOf("main", harness.Forever),
		harness.ContainerOf("own", harness.Forever, "securityContext: {seccompProfile: {type: RuntimeDefault}}"),
		harness.ContainerOf("free", harness.Forever, "securityContext: {privileged: true}")))
	b.Running("tight")
	for container, want := range map[string]string{"main": "No space left on device", "own": "made", "free": "made"} {
		if got := b.Sh("tight", container, "mkdir /tmp-x 2>&1 && echo made || true"); !strings.Contains(got, want) {
			t.Errorf("mkdir in container %s says %q, want %q", container, got, want)
		}
	}
	if got := strings.Fields(b.Sh("tight", "main", "cat /proc/sys/net/ipv4/tcp_keepalive_time /proc/sys/kernel/msgmax")); got[0] != "78" || got[1] != "9000" {
		t.Errorf("sysctls are %v, want the pod's own 78 and the handler's 9000", got)
	}

	b.MustDrop("armored", harness.PodOf("armored", "runtimeClassName: armored", harness.ContainerOf("main", harness.Forever)))
	b.MustDrop("bare", harness.PodOf("bare", "runtimeClassName: armored", harness.ContainerOf("main", harness.Forever, "securityContext: {appArmorProfile: {type: Unconfined}}")))
	b.Running("bare")
	want := "apparmor profile not found nobody-has-this"
	if _, err := os.Stat("/sys/kernel/security/apparmor"); err != nil {
		want = `apparmor is not supported on this machine, and container "main" asks for it`
	}
	b.WaitPod("armored", harness.IsWaitingFor("CreateContainerError", want))

	b.MustDrop("refused", harness.PodOf("refused", "runtimeClassName: mapped", "hostUsers: true", harness.ContainerOf("main", harness.Forever)))
	b.HasEvent(`runtime handler "mapped" runs no pod without user ids of its own, and this one cannot have them: hostUsers: true`)
	b.MustDrop("network", harness.PodOf("network", "runtimeClassName: mapped", "hostNetwork: true", harness.ContainerOf("main", harness.Forever)))
	b.HasEvent("and this one cannot have them: hostNetwork")
	needsMappedMemory(t)
	b.MustDrop("mapped", harness.PodOf("mapped", "runtimeClassName: mapped", harness.ContainerOf("main", harness.Forever)))
	b.Running("mapped")
	if first := strings.Fields(b.Sh("mapped", "main", "cat /proc/self/uid_map"))[1]; first == "0" {
		t.Error("a pod whose handler requires ids of its own has the machine's")
	}
}

// Of namespaces and runtime classes that are exempt nothing is judged; all others are.
func TestPodSecurityExemptions(t *testing.T) {
	t.Parallel()
	file := configFile(t, "podSecurity: restricted\nruntimeHandlers: {other: {}}\npodSecurityExemptions: {namespaces: [trusted], runtimeClasses: [loose]}\n")
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	b.MustDrop("loose", "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: loose}\nhandler: other\n")
	b.MustDrop("strict", "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: strict}\nhandler: other\n")
	free := harness.ContainerOf("main", harness.Forever, "securityContext: {privileged: true}")
	inTrusted := func(text string) string {
		return strings.Replace(text, "metadata:\n", "metadata:\n  namespace: trusted\n", 1)
	}
	b.MustDrop("of-class", harness.PodOf("of-class", "runtimeClassName: loose", free))
	b.MustDrop("of-other-class", harness.PodOf("of-other-class", "runtimeClassName: strict", free))
	b.MustDrop("of-none", harness.PodOf("of-none", free))
	b.MustDrop("of-namespace", inTrusted(harness.PodOf("of-namespace", free)))
	b.Running("of-class")
	b.Until(func(out string) bool { return strings.Contains(out, "1/1") }, "get", "pods", "-n", "trusted", "of-namespace")
	for _, name := range []string{"of-none", "of-other-class"} {
		b.Until(func(out string) bool {
			return strings.Contains(out, `violates PodSecurity "restricted:latest": privileged`)
		}, "describe", "pod", name)
	}
	// Without the exemptions nobody is exempt, but what runs goes on.
	b.Must(os.WriteFile(file, []byte("podSecurity: restricted\nruntimeHandlers: {other: {}}\nnodeLabels: {read: again}\n"), 0o600))
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.Until(func(out string) bool { return strings.Contains(out, "read=again") }, "get", "nodes", "--show-labels")
	b.MustDrop("late", inTrusted(harness.PodOf("late", free)))
	b.Until(func(out string) bool { return strings.Contains(out, "PodSecurity") }, "get", "pods", "-n", "trusted", "late")
	b.Running("of-class")
}

// A node that says so takes no pod that asks for CDI devices by annotation, until it says otherwise.
func TestCDIAnnotationsForbidden(t *testing.T) {
	t.Parallel()
	specs := t.TempDir()
	config := "cdiSpecDirs: [" + specs + "]\ndevices: [{cdi: example.com/gpu}]\n"
	file := configFile(t, config+"cdiAnnotations: false\n")
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	b.Must(os.WriteFile(filepath.Join(specs, "gpu.yaml"), []byte("cdiVersion: 0.7.0\nkind: example.com/gpu\ndevices: [{name: '0', containerEdits: {env: [GPU=0]}}]\n"), 0o600))
	b.MustDrop("noted", harness.ReplaceIn(t, harness.PodOf("noted", harness.ContainerOf("main", harness.Forever)), "  name: noted\n", "  name: noted\n  annotations: {cdi.k8s.io/me: example.com/gpu=0}\n"))
	p := b.WaitPod("noted", harness.IsPhase(corev1.PodFailed))
	const why = "forbidden annotation: pods of this node get CDI devices by resources and runtime classes alone (cdiAnnotations: false)"
	if p.Status.Reason != "CDIAnnotationForbidden" || p.Status.Message != "Pod was rejected: "+why || len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Running != nil {
		t.Errorf("its status is %+v", p.Status)
	}
	b.HasEvent(why)
	if got := harness.LineOf(b.CLI("get", "pods"), "noted"); !strings.Contains(got, "CDIAnnotationForbidden") {
		t.Errorf("podd get pods shows %q", got)
	}
	// By a resource it is had all the same.
	b.Until(func(out string) bool { return strings.Contains(out, "example.com/gpu") }, "describe", "node")
	b.MustDrop("asks", harness.PodOf("asks", harness.ContainerOf("main", harness.Forever, "resources: {limits: {example.com/gpu: 1}}")))
	b.Running("asks")
	b.Sh("asks", "main", `test "$GPU" = 0`)
	b.MustRemove("asks")
	b.Gone("asks")
	b.Must(os.WriteFile(file, []byte(config), 0o600))
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.Running("noted")
	b.Sh("noted", "main", `test "$GPU" = 0`)
}

// The hardened configuration that is shipped confines pods that say nothing, refuses what is too free, and lets pods say what
// they need.
func TestHardenedConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../board/packaging/hardened-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", configFile(t, string(text))))
	b.MustDrop("plain", harness.PodOf("plain", harness.ContainerOf("main", harness.Forever)))
	b.MustDrop("more", harness.PodOf("more", "hostUsers: true", harness.ContainerOf("main", harness.Forever, "securityContext: {allowPrivilegeEscalation: true}")))
	b.MustDrop("free", harness.PodOf("free", harness.ContainerOf("main", harness.Forever, "securityContext: {privileged: true}")))
	b.Running("plain")
	b.Running("more")
	const script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -dc '0-9\n'; awk '{print $2}' /proc/self/uid_map"
	if got := strings.Fields(b.Sh("plain", "main", script)); len(got) != 3 || got[0] != "1" || got[1] != "2" {
		t.Errorf("a pod that says nothing has no_new_privs, seccomp and first id %v", got)
	} else if userns.Supported() == nil && got[2] == "0" {
		t.Error("a pod that says nothing has the machine's ids")
	}
	if got := strings.Fields(b.Sh("more", "main", script)); len(got) != 3 || got[0] != "0" || got[1] != "2" || got[2] != "0" {
		t.Errorf("a pod that says what it needs has no_new_privs, seccomp and first id %v", got)
	}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil {
		b.MustDrop("labelled", harness.ReplaceIn(t, labelled("labelled"), "type: t, ", "")) // baseline has its own word for the type
		b.WaitPod("labelled", harness.IsPhase(corev1.PodFailed))
		b.Happened("labelled", "SELinux", "Cannot enforce SELinux", 1)
	}
	b.HasEvent(`pods "free" is forbidden: violates PodSecurity "baseline:latest": privileged`)
}

// configFile is a configuration.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

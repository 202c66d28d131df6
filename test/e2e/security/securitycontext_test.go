package security

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
	"podd/test/harness"
)

// Which groups of the image a user has is what supplementalGroupsPolicy says, beside those of the manifest.
//
// e2e: Security Context :: SupplementalGroupsPolicy [LinuxOnly] :: SupplementalGroupsPolicy nil in SecurityContext :: if the container's primary UID belongs to some groups in the image :: it should add SupplementalGroups to them [LinuxOnly]
// e2e: Security Context :: SupplementalGroupsPolicy [LinuxOnly] :: SupplementalGroupsPolicy was set to Merge in PodSpec :: the container's primary UID belongs to some groups in the image :: it should add SupplementalGroups to them [LinuxOnly]
// e2e: Security Context :: SupplementalGroupsPolicy [LinuxOnly] :: SupplementalGroupsPolicy was set to Strict in PodSpec :: the container's primary UID belongs to some groups in the image :: it should NOT add SupplementalGroups to them [LinuxOnly]
// e2e: Security Context :: if the container's primary UID belongs to some groups in the image [LinuxOnly] :: should add pod.Spec.SecurityContext.SupplementalGroups to them [LinuxOnly] in resultant supplementary groups for the container processes
func TestGroupsOfTheImage(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	archive, err := imagetest.Busybox("groups", imagetest.Config{},
		imagetest.Regular("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n"),
		imagetest.Regular("etc/group", "root:x:0:\nweb:x:1000:\nextra:x:50000:web,other\nforeign:x:50001:other\n"))
	b.Must(err)
	b.Must(os.WriteFile(filepath.Join(b.Images, ".groups.tar"), archive, 0o600))
	b.Must(os.Rename(filepath.Join(b.Images, ".groups.tar"), filepath.Join(b.Images, "groups.tar")))
	for name, c := range map[string]struct{ policy, want string }{
		"unsaid": {"", "1000 50000 60000"}, "merge": {", supplementalGroupsPolicy: Merge", "1000 50000 60000"}, "strict": {", supplementalGroupsPolicy: Strict", "1000 60000"},
	} {
		b.MustDrop(name, harness.PodOf(name, "securityContext: {runAsUser: 1000, supplementalGroups: [60000]"+c.policy+"}", of("groups", harness.ContainerOf("main", harness.Forever))))
		b.Running(name)
		if got := b.Sh(name, "main", "id -G"); got != c.want {
			t.Errorf("%s: the groups are %q, want %q", name, got, c.want)
		}
	}
}

// A setuid program gives what it promises unless the container says otherwise; a privileged container has the machine's devices
// and may change its network.
//
// e2e: Security Context :: when creating containers with AllowPrivilegeEscalation :: should allow privilege escalation when not explicitly set and uid != 0 [LinuxOnly]
// e2e: Security Context :: when creating containers with AllowPrivilegeEscalation :: should allow privilege escalation when true [LinuxOnly]
// e2e: Security Context :: when creating containers with AllowPrivilegeEscalation :: should not allow privilege escalation when false [LinuxOnly]
// e2e: Security Context :: When creating a pod with privileged :: should run the container as privileged when true [LinuxOnly]
// e2e: Security Context :: When creating a pod with privileged :: should run the container as unprivileged when false [LinuxOnly]
func TestPrivilegeEscalation(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	mount := "volumeMounts: [{name: v, mountPath: /v}]"
	user := func(name, more string) string {
		return harness.Probed(name, "until test -e /v/done; do sleep 0.1; done\n"+harness.Forever, mount, "securityContext: {runAsUser: 1000"+more+"}")
	}
	b.MustDrop("app", harness.PodOf("app", "volumes: [{name: v, emptyDir: {}}]",
		harness.Probed("root", "cp $(command -v answerer) /v/raised; chmod 4755 /v/raised; touch /v/done\n"+harness.Forever, mount),
		user("unsaid", ""), user("allowed", ", allowPrivilegeEscalation: true"), user("refused", ", allowPrivilegeEscalation: false"),
		harness.ContainerOf("privileged", harness.Forever, "securityContext: {privileged: true}"), harness.ContainerOf("not", harness.Forever, "securityContext: {privileged: false}")))
	b.Running("app")
	for container, want := range map[string]string{"unsaid": "1000 0 0 0", "allowed": "1000 0 0 0", "refused": "1000 1000 1000 1000"} {
		got := b.Sh("app", container, "until test -e /v/done; do sleep 0.1; done; /v/raised confinement | grep Uid")
		if fields := strings.Fields(got); len(fields) < 4 || strings.Join(fields[len(fields)-4:], " ") != want {
			t.Errorf("in container %s a setuid program has %q, want %s", container, got, want)
		}
	}
	const script = "ip link set lo mtu 1500 && test -b $(find /dev -type b | head -n 1)"
	b.Sh("app", "privileged", script)
	if _, _, code := b.RunCLI("exec", "app", "-c", "not", "--", "sh", "-c", script); code == 0 {
		t.Error("a container that is not privileged does what a privileged one may")
	}
}

// What a pod shares with the machine it sees, and one that does not share it does not.
//
// e2e: Security Context :: when creating a pod in the host PID namespace :: should show its pid in the host PID namespace [LinuxOnly]
// e2e: Security Context :: when creating a pod in the host PID namespace :: should not show its pid in the non-hostpid containers
// e2e: Security Context :: when creating a pod in the host IPC namespace :: should show the shared memory ID in the host IPC containers
// e2e: Security Context :: when creating a pod in the host IPC namespace :: should not show the shared memory ID in the non-hostIPC containers
// e2e: Security Context :: when creating a pod in the host network namespace :: should listen on same port in the host network containers
// e2e: Security Context :: when creating a pod in the host network namespace :: shouldn't show the same port in the non-hostnetwork containers
func TestHostNamespaces(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("host", harness.PodOf("host", "hostPID: true\nhostIPC: true\nhostNetwork: true", harness.ContainerOf("main", "httpd -p 127.0.0.1:18991 -h /tmp\n"+harness.Forever)))
	b.MustDrop("own", harness.PodOf("own", harness.ContainerOf("main", harness.Forever)))
	b.Running("host")
	b.Running("own")
	for _, ns := range []string{"pid", "ipc", "net", "uts"} {
		host, own := b.Sh("host", "main", "readlink /proc/self/ns/"+ns), b.Sh("own", "main", "readlink /proc/self/ns/"+ns)
		if machine, err := os.Readlink("/proc/self/ns/" + ns); err != nil || ns != "net" && host != machine || own == machine || own == host {
			t.Errorf("%s namespaces: the machine's %s, of the pod in it %s, of the other %s (%v)", ns, machine, host, own, err)
		}
	}
	const port = "grep -q ':4A2F ' /proc/net/tcp"
	b.Sh("host", "main", "until "+port+"; do sleep 0.1; done")
	if _, _, code := b.RunCLI("exec", "own", "--", "sh", "-c", port); code == 0 {
		t.Error("a pod with a network of its own sees a port of the machine's")
	}
}

// What cannot be is refused in the API server's words, and in the file's place nothing runs. A sysctl that is none is one of them.
//
// e2e: Sysctls [LinuxOnly] :: should reject invalid sysctls
func TestContradictions(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	cases := map[string]struct{ pod, container, want string }{
		"sysctl-form":      {"securityContext: {sysctls: [{name: foo-, value: bar}]}", "", `spec.securityContext.sysctls[0].name: Invalid value: "foo-": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`},
		"sysctl-node":      {"securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}", "", "vm.swappiness belongs to the whole node"},
		"sysctl-twice":     {"securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}, {name: net.core.somaxconn, value: '2'}]}", "", `spec.securityContext.sysctls[1].name: Duplicate value: "net.core.somaxconn"`},
		"sysctl-host-net":  {"hostNetwork: true\nsecurityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}", "", "may not be specified when 'hostNetwork' is true"},
		"sysctl-host-ipc":  {"hostIPC: true\nsecurityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}", "", "may not be specified when 'hostIPC' is true"},
		"capability":       {"", "capabilities: {drop: [NET_RAWW]}", `capabilities.drop[0]: Invalid value: "NET_RAWW"`},
		"escalation":       {"", "privileged: true, allowPrivilegeEscalation: false", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"},
		"escalation-admin": {"", "capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false", "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"},
		"proc":             {"", "procMount: Unmasked", "`hostUsers` must be false to use `Unmasked`"},
		"proc-word":        {"", "procMount: Open", `procMount: Unsupported value: "Open": supported values: "Default", "Unmasked"`},
		"users-network":    {"hostUsers: false\nhostNetwork: true", "", "spec.hostNetwork: Forbidden: when `hostUsers` is false"},
		"users-pid":        {"hostUsers: false\nhostPID: true", "", "spec.HostPID: Forbidden: when `hostUsers` is false"},
		"users-ipc":        {"hostUsers: false\nhostIPC: true", "", "spec.HostIPC: Forbidden: when `hostUsers` is false"},
		"processes":        {"hostPID: true\nshareProcessNamespace: true", "", "ShareProcessNamespace and HostPID cannot both be enabled"},
		"profile":          {"", "seccompProfile: {type: Docker}", `seccompProfile.type: Unsupported value: "Docker"`},
		"profile-file":     {"", "seccompProfile: {type: RuntimeDefault, localhostProfile: x.json}", "can only be set when seccomp type is Localhost"},
		"profile-path":     {"", "seccompProfile: {type: Localhost, localhostProfile: ../x.json}", "must not contain '..'"},
		"armor":            {"", "appArmorProfile: {type: Localhost}", "must be set when AppArmor type is Localhost"},
		"ids":              {"", "runAsUser: -1", "runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"},
		"policy":           {"securityContext: {supplementalGroupsPolicy: Loose}", "", `supplementalGroupsPolicy: Unsupported value: "Loose"`},
		"change":           {"securityContext: {fsGroup: 1, fsGroupChangePolicy: Never}", "", `fsGroupChangePolicy: Unsupported value: "Never"`},
		"class":            {"runtimeClassName: Bad_Name", "", `spec.runtimeClassName: Invalid value: "Bad_Name"`},
	}
	for name, c := range cases {
		parts := []string{}
		if c.pod != "" {
			parts = append(parts, c.pod)
		}
		b.MustDrop(name, harness.PodOf(name, append(parts, harness.ContainerOf("main", harness.Forever, "securityContext: {"+c.container+"}"))...))
	}
	b.Until(func(out string) bool {
		for _, c := range cases {
			if !strings.Contains(out, c.want) {
				return false
			}
		}
		return true
	}, "get", "events")
	table, described := b.CLI("get", "pods"), b.CLI("describe", "pod", "users-pid")
	for name, c := range cases {
		pod := b.MustPod(name)
		for _, s := range pod.Status.ContainerStatuses {
			if s.State.Running != nil || s.LastTerminationState.Terminated != nil {
				t.Errorf("%s runs: %+v", name, s)
			}
		}
		if pod.Status.Phase != corev1.PodPending || !strings.Contains(pod.Status.Message, c.want) {
			t.Errorf("%s is %s: %s", name, pod.Status.Phase, pod.Status.Message)
		}
		if line := harness.LineOf(table, name); !strings.Contains(line, "InvalidManifest") && !strings.Contains(line, "UnsupportedField") {
			t.Errorf("podd get pods says of %s: %q", name, line)
		}
	}
	if !strings.Contains(described, cases["users-pid"].want) {
		t.Errorf("podd describe says:\n%s", described)
	}
}

// A pod that asks for AppArmor where there is none is refused, and nothing of it starts. One that asks for SELinux goes without,
// as with a kubelet, and podd doctor says so.
func TestModulesThatAreNotThere(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	if _, err := os.Stat("/sys/kernel/security/apparmor"); err != nil {
		const want = "Cannot enforce AppArmor: AppArmor is not enabled on the host"
		b.MustDrop("armor", harness.PodOf("armor", harness.ContainerOf("main", harness.Forever, "securityContext: {appArmorProfile: {type: RuntimeDefault}}")))
		pod := b.WaitPod("armor", harness.IsPhase(corev1.PodFailed))
		if pod.Status.Message != "Pod was rejected: "+want || len(pod.Status.PodIPs) != 0 {
			t.Errorf("%s, %s, %v", pod.Status.Reason, pod.Status.Message, pod.Status.PodIPs)
		}
		b.HasEvent(want)
	}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		return
	}
	b.MustDrop("selinux", labelled("selinux"))
	b.WaitPod("selinux", harness.IsPhase(corev1.PodRunning))
	const said = "SELinux           none: seLinuxOptions ask for type t, level s0:c1,c2, and SELinux is off on this machine"
	if out := b.CLI("doctor", "security", "--pod", "selinux"); !strings.Contains(out, said) {
		t.Errorf("podd doctor security does not say %q:\n%s", said, out)
	}
}

// labelled is a pod that asks for a label of SELinux.
func labelled(name string) string {
	return harness.PodOf(name, harness.ContainerOf("main", harness.Forever, "securityContext: {seLinuxOptions: {type: t, level: 's0:c1,c2'}}"))
}

// A node that says so takes no pod that asks for a label where SELinux is off, until it says otherwise; what runs stays.
func TestUnenforcedSELinux(t *testing.T) {
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		t.Skip("SELinux is on")
	}
	t.Parallel()
	file := configFile(t, "unenforcedSELinux: refuse\n")
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	set := func(value string) {
		t.Helper()
		b.Must(os.WriteFile(file, []byte("unenforcedSELinux: "+value+"\nnodeLabels: {now: "+value+"}\n"), 0o600))
		b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
		b.Until(func(out string) bool { return strings.Contains(out, "now="+value) }, "get", "nodes", "--show-labels")
	}
	const why = "Cannot enforce SELinux: SELinux is not enabled on the host; turn it on, remove seLinuxOptions, or let the node ignore them (unenforcedSELinux: ignore)"
	refused := func(name string) {
		t.Helper()
		b.MustDrop(name, labelled(name))
		p := b.WaitPod(name, harness.IsPhase(corev1.PodFailed))
		if p.Status.Reason != "SELinux" || p.Status.Message != "Pod was rejected: "+why || len(p.Status.PodIPs) != 0 {
			t.Errorf("%s: %s, %s, %v", name, p.Status.Reason, p.Status.Message, p.Status.PodIPs)
		}
		b.Happened(name, "SELinux", why, 1)
	}
	refused("first")
	b.MustDrop("free", harness.PodOf("free", harness.ContainerOf("main", harness.Forever, "securityContext: {seLinuxOptions: {type: spc_t}}")))
	b.Running("free")
	set("ignore")
	b.Running("first")
	set("refuse")
	refused("second")
	b.Running("first")
	b.MustKill9()
	b.MustStart()
	b.WaitPod("second", harness.IsPhase(corev1.PodFailed))
	if p := b.MustPod("first"); harness.IsRunning(p) != "" || p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the pod that ran is %+v", p.Status)
	}
}

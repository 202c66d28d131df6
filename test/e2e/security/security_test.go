package security

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// Users and groups of pod, container and image.
//
// e2e: Security Context :: When creating a container with runAsUser :: should run the container with uid 65534 [LinuxOnly]
// e2e: Security Context :: When creating a container with runAsUser :: should run the container with uid 0 [LinuxOnly]
// e2e: Security Context :: should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup [LinuxOnly]
// e2e: Security Context :: should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup [LinuxOnly]
// e2e: Security Context :: should support pod.Spec.SecurityContext.SupplementalGroups [LinuxOnly]
func TestUsers(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for i, c := range []struct{ pod, container, want string }{
		{"", "", "0:0:"},
		{"runAsUser: 64000", "", "64000:0:"},
		{"runAsUser: 65534", "", "65534:65534:"},
		{"runAsUser: 65534", "runAsUser: 0", "0:0:"},
		{"runAsUser: 1001, runAsGroup: 2002", "", "1001:2002:"},
		{"runAsUser: 1001, runAsGroup: 2002", "runAsUser: 1003, runAsGroup: 2004", "1003:2004:"},
		{"runAsUser: 1001, supplementalGroups: [1234, 5678]", "", "1001:0:1234,5678"},
	} {
		name := fmt.Sprintf("user-%d", i)
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never", "securityContext: {"+c.pod+"}",
			harness.ContainerOf("main", `echo "$(id -u):$(id -g):$(id -G)"`, "securityContext: {"+c.container+"}")))
		b.WaitPod(name, harness.IsPhase(corev1.PodSucceeded))
		got := strings.TrimSpace(b.LogsOf(name))
		part := strings.SplitN(c.want, ":", 3)
		if !strings.HasPrefix(got, part[0]+":"+part[1]+":") {
			t.Errorf("pod {%s} container {%s}: %q", c.pod, c.container, got)
		}
		for group := range strings.SplitSeq(part[2], ",") {
			if !strings.Contains(got, group) {
				t.Errorf("group %s is missing in %q", group, got)
			}
		}
	}
}

// The primary group is among the supplementary ones, in the container, in what is executed in it, and in its status, also
// where only the groups of the manifest count; and a number in the manifest is no name in the image.
func TestPrimaryGroup(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for policy, want := range map[string][]int64{"Merge": {1234, 700, 800}, "Strict": {1234, 700, 800}} {
		name := strings.ToLower(policy)
		b.MustDrop(name, harness.PodOf(name, "securityContext: {runAsUser: 1000, runAsGroup: 1234, supplementalGroups: [700], fsGroup: 800, supplementalGroupsPolicy: "+policy+"}",
			harness.ContainerOf("main", harness.Forever, `readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "id -G | grep -qx '1234 700 800'"]}}`)))
		user := harness.ContainerStatus(b.WaitPod(name, harness.IsReady("main")), "main").User
		if user == nil || user.Linux == nil || user.Linux.UID != 1000 || user.Linux.GID != 1234 || !slices.Equal(user.Linux.SupplementalGroups, want) {
			t.Errorf("%s: the status says %+v", policy, user)
		}
		for _, process := range []string{"1", "self"} {
			if got := strings.Fields(b.Sh(name, "main", "grep ^Groups /proc/"+process+"/status")); !slices.Equal(got[1:], []string{"700", "800", "1234"}) {
				t.Errorf("%s: process %s has %v", policy, process, got)
			}
		}
	}
}

// A sysctl that is not safe fails the pod, as a kubelet does, until the configuration allows it; safe ones are set.
func TestSysctls(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	sysctls := func(names string) string {
		return "securityContext: {sysctls: [" + names + "]}"
	}
	const unsafe = "{name: kernel.msgmax, value: '9000'}, {name: net/core/somaxconn, value: '77'}"
	b.MustDrop("unsafe", harness.PodOf("unsafe", sysctls(unsafe), harness.ContainerOf("main", harness.Forever)))
	b.MustDrop("safe", harness.PodOf("safe", sysctls("{name: net.ipv4.tcp_keepalive_time, value: '77'}"), harness.ContainerOf("main", harness.Forever)))
	pod := b.WaitPod("unsafe", harness.IsPhase(corev1.PodFailed))
	if pod.Status.Reason != "SysctlForbidden" || pod.Status.Message != `Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted` {
		t.Errorf("it failed with %q, %q", pod.Status.Reason, pod.Status.Message)
	}
	if got := strings.Fields(harness.LineOf(b.CLI("get", "pods"), "unsafe")); len(got) < 3 || got[1] != "0/1" || got[2] != "SysctlForbidden" {
		t.Errorf("podd get pods shows %q", got)
	}
	events, err := b.Events()
	b.Must(err)
	if !slices.ContainsFunc(events, func(e corev1.Event) bool {
		return e.InvolvedObject.Name == "unsafe" && e.Reason == "SysctlForbidden" && e.Message == `forbidden sysctl: "kernel.msgmax" not allowlisted`
	}) {
		t.Errorf("no event says so: %+v", events)
	}
	b.Running("safe")
	if got := b.Sh("safe", "main", "cat /proc/sys/net/ipv4/tcp_keepalive_time"); got != "77" {
		t.Errorf("tcp_keepalive_time is %q", got)
	}
	// It was never anything but rejected, also for the next daemon.
	b.MustKill9()
	b.MustStart()
	b.WaitPod("unsafe", harness.IsPhase(corev1.PodFailed))
	b.Must(os.WriteFile(file, []byte("allowedUnsafeSysctls: [kernel.msg*, net.core.somaxconn]\n"), 0o600))
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.Running("unsafe")
	if got := b.Sh("unsafe", "main", "cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn"); got != "9000\n77" {
		t.Errorf("allowed, they are %q", got)
	}
	// One that runs stays, whatever the configuration says later.
	b.MustKill9()
	b.Must(os.WriteFile(file, nil, 0o600))
	b.MustStart()
	b.MustDrop("late", harness.PodOf("late", sysctls(unsafe), harness.ContainerOf("main", harness.Forever)))
	b.WaitPod("late", harness.IsPhase(corev1.PodFailed))
	b.Running("unsafe")
}

// A process without privileges may serve at port 80 and send pings, in a pod's network; what the pod says itself counts more.
func TestUnprivilegedPortsAndPing(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	const nobody = "securityContext: {runAsUser: 65534, capabilities: {drop: [ALL]}}"
	for name, users := range map[string]string{"plain": "true", "users": "false"} {
		b.MustDrop(name, harness.PodOf(name, "hostUsers: "+users, harness.Probed("main", "httpd -p 80 -h /tmp\n"+harness.Forever, nobody)))
	}
	b.MustDrop("own", harness.PodOf("own", "hostUsers: false", "securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '81'}, {name: net.ipv4.ping_group_range, value: '5 7'}]}",
		harness.Probed("main", harness.Forever, nobody)))
	for _, name := range []string{"plain", "users"} {
		b.Running(name)
		if got := b.Sh(name, "main", "until wget -qO- http://127.0.0.1/ 2>&1 | grep -q 404; do sleep 0.1; done; answerer ping"); got != "ok" {
			t.Errorf("%s: a ping ends with %s", name, got)
		}
	}
	if got := b.Sh("plain", "main", "cat /proc/sys/net/ipv4/ping_group_range"); strings.Join(strings.Fields(got), " ") != "0 2147483647" {
		t.Errorf("ping_group_range is %q", got)
	}
	if got := b.Sh("users", "main", "cat /proc/sys/net/ipv4/ping_group_range"); strings.Join(strings.Fields(got), " ") != "0 65535" {
		t.Errorf("with ids of its own, ping_group_range is %q", got)
	}
	b.Running("own")
	if got := b.Sh("own", "main", "cat /proc/sys/net/ipv4/ping_group_range; cat /proc/sys/net/ipv4/ip_unprivileged_port_start"); strings.Join(strings.Fields(got), " ") != "5 7 81" {
		t.Errorf("its own are %q", got)
	}
	if got := b.Sh("own", "main", "answerer ping"); got != "EACCES" {
		t.Errorf("a ping against its own sysctl ends with %s", got)
	}
	if _, _, code := b.RunCLI("exec", "own", "--", "httpd", "-p", "80", "-h", "/tmp"); code == 0 {
		t.Error("it serves at port 80 against its own sysctl")
	}
}

// runAsNonRoot refuses root, said or not, with the reason.
//
// e2e: Security Context :: When creating a container with runAsNonRoot :: should not run with an explicit root user ID [LinuxOnly]
// e2e: Security Context :: When creating a container with runAsNonRoot :: should not run without a specified user ID
// e2e: Security Context :: When creating a container with runAsNonRoot :: should run with an explicit non-root user ID [LinuxOnly]
func TestRunAsNonRoot(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, context := range map[string]string{"explicit": "runAsNonRoot: true, runAsUser: 0", "unsaid": "runAsNonRoot: true"} {
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never", harness.ContainerOf("main", "true", "securityContext: {"+context+"}")))
		b.WaitPod(name, harness.IsWaiting("main", "CreateContainerConfigError"))
	}
	b.MustDrop("fine", harness.PodOf("fine", "restartPolicy: Never", harness.ContainerOf("main", "id -u", "securityContext: {runAsNonRoot: true, runAsUser: 1234}")))
	b.WaitPod("fine", harness.IsPhase(corev1.PodSucceeded))
	if got := b.LogsOf("fine"); got != "1234\n" {
		t.Errorf("uid is %q", got)
	}
}

// Capability bits, of linux/capability.h.
const (
	capChown    = 0
	capNetAdmin = 12
	capSysAdmin = 21
	capMknod    = 27
)

// The default set of capabilities, added and dropped ones, none for a user that is not root.
//
// e2e: PrivilegedPod :: should enable privileged commands [LinuxOnly]
func TestCapabilities(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for i, c := range []struct {
		context  string
		has, not []int
	}{
		{"", []int{capChown, capMknod}, []int{capNetAdmin, capSysAdmin}},
		{"capabilities: {add: [NET_ADMIN], drop: [MKNOD]}", []int{capChown, capNetAdmin}, []int{capMknod, capSysAdmin}},
		{"capabilities: {drop: [ALL], add: [CHOWN]}", []int{capChown}, []int{capMknod, capNetAdmin}},
		{"runAsUser: 1000", nil, []int{capChown, capMknod}},
		{"privileged: true", []int{capSysAdmin, capNetAdmin}, nil},
	} {
		name := fmt.Sprintf("caps-%d", i)
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never", harness.ContainerOf("main", "grep CapEff /proc/self/status", "securityContext: {"+c.context+"}")))
		b.WaitPod(name, harness.IsPhase(corev1.PodSucceeded))
		_, hex, _ := strings.Cut(strings.TrimSpace(b.LogsOf(name)), "\t")
		bits, err := strconv.ParseUint(hex, 16, 64)
		b.Must(err)
		for _, bit := range c.has {
			if bits&(1<<bit) == 0 {
				t.Errorf("{%s} lacks capability %d: %x", c.context, bit, bits)
			}
		}
		for _, bit := range c.not {
			if bits&(1<<bit) != 0 {
				t.Errorf("{%s} has capability %d: %x", c.context, bit, bits)
			}
		}
	}
}

// What of /proc and /sys is masked or read-only, the devices that exist, and no_new_privs.
//
// e2e: DefaultProcMount [LinuxOnly] :: will mask proc mounts by default
// e2e: Security Context :: when creating containers with AllowPrivilegeEscalation :: should not allow privilege escalation when false [LinuxOnly]
// e2e: Security Context :: When creating a pod with readOnlyRootFilesystem :: should run the container with readonly rootfs when readOnlyRootFilesystem=true [LinuxOnly]
func TestConfinement(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("plain", harness.Forever),
		harness.ContainerOf("strict", harness.Forever, "securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}")))
	b.Running("app")
	for _, script := range []string{
		"echo x >/proc/sys/kernel/panic", "echo x >/proc/sysrq-trigger", "echo x >/sys/kernel/profiling", "mkdir $(ls -d /sys/fs/cgroup/memory 2>/dev/null || echo /sys/fs/cgroup)/mine",
		"ls /sys/dev/block | grep -q .", "mknod /tun c 10 200 && exec 3<>/tun",
		"test -s /proc/kcore && head -c1 /proc/kcore | grep -q .", "test -b /dev/vda", "mount -t tmpfs t /mnt",
	} {
		if _, _, code := b.RunCLI("exec", "app", "-c", "plain", "--", "sh", "-c", script); code == 0 {
			t.Errorf("allowed: %s", script)
		}
	}
	b.Sh("app", "plain", "echo x >/root-is-writable; for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null")
	if _, err := os.Stat("/dev/net/tun"); err == nil {
		b.MustDrop("vpn", harness.PodOf("vpn", "volumes: [{name: tun, hostPath: {path: /dev/net/tun}}]", harness.Mounting("main", harness.Forever, "{name: tun, mountPath: /dev/net/tun}")))
		b.Running("vpn")
		b.Sh("vpn", "main", "exec 3<>/dev/net/tun")
	}
	if _, _, code := b.RunCLI("exec", "app", "-c", "strict", "--", "sh", "-c", "echo x >/file"); code == 0 {
		t.Error("the read-only root is writable")
	}
	onDisk := func(container string) []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(b.Root, "containers", "*."+container+".0"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if plain, strict := onDisk("plain"), onDisk("strict"); len(plain) != 1 || len(strict) != 0 {
		t.Errorf("writable layers on disk: %v and %v; one that nothing can be written to belongs into memory", plain, strict)
	}
	if got := b.Sh("app", "strict", "grep NoNewPrivs /proc/1/status"); !strings.HasSuffix(got, "1") {
		t.Errorf("%q without privilege escalation", got)
	}
	if got := b.Sh("app", "plain", "grep NoNewPrivs /proc/1/status"); !strings.HasSuffix(got, "0") {
		t.Errorf("%q by default", got)
	}
}

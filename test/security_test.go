package test

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
	b := newBoard(t)
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
		b.drop(name, podOf(name, "restartPolicy: Never", "securityContext: {"+c.pod+"}",
			containerOf("main", `echo "$(id -u):$(id -g):$(id -G)"`, "securityContext: {"+c.container+"}")))
		b.wait(name, isPhase(corev1.PodSucceeded))
		got := strings.TrimSpace(b.logs(name))
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
	b := newBoard(t)
	for policy, want := range map[string][]int64{"Merge": {1234, 700, 800}, "Strict": {1234, 700, 800}} {
		name := strings.ToLower(policy)
		b.drop(name, podOf(name, "securityContext: {runAsUser: 1000, runAsGroup: 1234, supplementalGroups: [700], fsGroup: 800, supplementalGroupsPolicy: "+policy+"}",
			containerOf("main", forever, `readinessProbe: {periodSeconds: 1, exec: {command: [sh, -c, "id -G | grep -qx '1234 700 800'"]}}`)))
		user := containerStatus(b.wait(name, isReady("main")), "main").User
		if user == nil || user.Linux == nil || user.Linux.UID != 1000 || user.Linux.GID != 1234 || !slices.Equal(user.Linux.SupplementalGroups, want) {
			t.Errorf("%s: the status says %+v", policy, user)
		}
		for _, process := range []string{"1", "self"} {
			if got := strings.Fields(b.sh(name, "main", "grep ^Groups /proc/"+process+"/status")); !slices.Equal(got[1:], []string{"700", "800", "1234"}) {
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
	b := newBoard(t, withArgs("--config", file))
	sysctls := func(names string) string {
		return "securityContext: {sysctls: [" + names + "]}"
	}
	const unsafe = "{name: kernel.msgmax, value: '9000'}, {name: net/core/somaxconn, value: '77'}"
	b.drop("unsafe", podOf("unsafe", sysctls(unsafe), containerOf("main", forever)))
	b.drop("safe", podOf("safe", sysctls("{name: net.ipv4.tcp_keepalive_time, value: '77'}"), containerOf("main", forever)))
	pod := b.wait("unsafe", isPhase(corev1.PodFailed))
	if pod.Status.Reason != "SysctlForbidden" || pod.Status.Message != `Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted` {
		t.Errorf("it failed with %q, %q", pod.Status.Reason, pod.Status.Message)
	}
	if got := strings.Fields(lineOf(b.podd("get", "pods"), "unsafe")); len(got) < 3 || got[1] != "0/1" || got[2] != "SysctlForbidden" {
		t.Errorf("podd get pods shows %q", got)
	}
	events, err := b.Events()
	b.must(err)
	if !slices.ContainsFunc(events, func(e corev1.Event) bool {
		return e.InvolvedObject.Name == "unsafe" && e.Reason == "SysctlForbidden" && e.Message == `forbidden sysctl: "kernel.msgmax" not allowlisted`
	}) {
		t.Errorf("no event says so: %+v", events)
	}
	b.running("safe")
	if got := b.sh("safe", "main", "cat /proc/sys/net/ipv4/tcp_keepalive_time"); got != "77" {
		t.Errorf("tcp_keepalive_time is %q", got)
	}
	// It was never anything but rejected, also for the next daemon.
	b.kill9()
	b.start()
	b.wait("unsafe", isPhase(corev1.PodFailed))
	b.must(os.WriteFile(file, []byte("allowedUnsafeSysctls: [kernel.msg*, net.core.somaxconn]\n"), 0o600))
	b.must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.running("unsafe")
	if got := b.sh("unsafe", "main", "cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn"); got != "9000\n77" {
		t.Errorf("allowed, they are %q", got)
	}
	// One that runs stays, whatever the configuration says later.
	b.kill9()
	b.must(os.WriteFile(file, nil, 0o600))
	b.start()
	b.drop("late", podOf("late", sysctls(unsafe), containerOf("main", forever)))
	b.wait("late", isPhase(corev1.PodFailed))
	b.running("unsafe")
}

// A process without privileges may serve at port 80 and send pings, in a pod's network; what the pod says itself counts more.
func TestUnprivilegedPortsAndPing(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	const nobody = "securityContext: {runAsUser: 65534, capabilities: {drop: [ALL]}}"
	for name, users := range map[string]string{"plain": "true", "users": "false"} {
		b.drop(name, podOf(name, "hostUsers: "+users, probed("main", "httpd -p 80 -h /tmp\n"+forever, nobody)))
	}
	b.drop("own", podOf("own", "hostUsers: false", "securityContext: {sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: '81'}, {name: net.ipv4.ping_group_range, value: '5 7'}]}",
		probed("main", forever, nobody)))
	for _, name := range []string{"plain", "users"} {
		b.running(name)
		if got := b.sh(name, "main", "until wget -qO- http://127.0.0.1/ 2>&1 | grep -q 404; do sleep 0.1; done; answerer ping"); got != "ok" {
			t.Errorf("%s: a ping ends with %s", name, got)
		}
	}
	if got := b.sh("plain", "main", "cat /proc/sys/net/ipv4/ping_group_range"); strings.Join(strings.Fields(got), " ") != "0 2147483647" {
		t.Errorf("ping_group_range is %q", got)
	}
	if got := b.sh("users", "main", "cat /proc/sys/net/ipv4/ping_group_range"); strings.Join(strings.Fields(got), " ") != "0 65535" {
		t.Errorf("with ids of its own, ping_group_range is %q", got)
	}
	b.running("own")
	if got := b.sh("own", "main", "cat /proc/sys/net/ipv4/ping_group_range; cat /proc/sys/net/ipv4/ip_unprivileged_port_start"); strings.Join(strings.Fields(got), " ") != "5 7 81" {
		t.Errorf("its own are %q", got)
	}
	if got := b.sh("own", "main", "answerer ping"); got != "EACCES" {
		t.Errorf("a ping against its own sysctl ends with %s", got)
	}
	if _, _, code := b.run("exec", "own", "--", "httpd", "-p", "80", "-h", "/tmp"); code == 0 {
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
	b := newBoard(t)
	for name, context := range map[string]string{"explicit": "runAsNonRoot: true, runAsUser: 0", "unsaid": "runAsNonRoot: true"} {
		b.drop(name, podOf(name, "restartPolicy: Never", containerOf("main", "true", "securityContext: {"+context+"}")))
		b.wait(name, isWaiting("main", "CreateContainerConfigError"))
	}
	b.drop("fine", podOf("fine", "restartPolicy: Never", containerOf("main", "id -u", "securityContext: {runAsNonRoot: true, runAsUser: 1234}")))
	b.wait("fine", isPhase(corev1.PodSucceeded))
	if got := b.logs("fine"); got != "1234\n" {
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
	b := newBoard(t)
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
		b.drop(name, podOf(name, "restartPolicy: Never", containerOf("main", "grep CapEff /proc/self/status", "securityContext: {"+c.context+"}")))
		b.wait(name, isPhase(corev1.PodSucceeded))
		_, hex, _ := strings.Cut(strings.TrimSpace(b.logs(name)), "\t")
		bits, err := strconv.ParseUint(hex, 16, 64)
		b.must(err)
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
	b := newBoard(t)
	b.drop("app", podOf("app", containerOf("plain", forever),
		containerOf("strict", forever, "securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}")))
	b.running("app")
	for _, script := range []string{
		"echo x >/proc/sys/kernel/panic", "echo x >/proc/sysrq-trigger", "echo x >/sys/kernel/profiling", "mkdir $(ls -d /sys/fs/cgroup/memory 2>/dev/null || echo /sys/fs/cgroup)/mine",
		"ls /sys/dev/block | grep -q .", "mknod /tun c 10 200 && exec 3<>/tun",
		"test -s /proc/kcore && head -c1 /proc/kcore | grep -q .", "test -b /dev/vda", "mount -t tmpfs t /mnt",
	} {
		if _, _, code := b.run("exec", "app", "-c", "plain", "--", "sh", "-c", script); code == 0 {
			t.Errorf("allowed: %s", script)
		}
	}
	b.sh("app", "plain", "echo x >/root-is-writable; for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null")
	if _, err := os.Stat("/dev/net/tun"); err == nil {
		b.drop("vpn", podOf("vpn", "volumes: [{name: tun, hostPath: {path: /dev/net/tun}}]", mounting("main", forever, "{name: tun, mountPath: /dev/net/tun}")))
		b.running("vpn")
		b.sh("vpn", "main", "exec 3<>/dev/net/tun")
	}
	if _, _, code := b.run("exec", "app", "-c", "strict", "--", "sh", "-c", "echo x >/file"); code == 0 {
		t.Error("the read-only root is writable")
	}
	if got := b.sh("app", "strict", "grep NoNewPrivs /proc/1/status"); !strings.HasSuffix(got, "1") {
		t.Errorf("%q without privilege escalation", got)
	}
	if got := b.sh("app", "plain", "grep NoNewPrivs /proc/1/status"); !strings.HasSuffix(got, "0") {
		t.Errorf("%q by default", got)
	}
}

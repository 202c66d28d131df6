package test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

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
		"test -s /proc/kcore && head -c1 /proc/kcore | grep -q .", "test -b /dev/vda", "mount -t tmpfs t /mnt",
	} {
		if _, _, code := b.run("exec", "app", "-c", "plain", "--", "sh", "-c", script); code == 0 {
			t.Errorf("allowed: %s", script)
		}
	}
	b.sh("app", "plain", "echo x >/root-is-writable; for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null")
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

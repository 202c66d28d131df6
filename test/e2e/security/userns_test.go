package security

import (
	"errors"
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
	"podd/test/lab"
)

// idsOf is the first id of the machine that the user namespace of a process has, which must be one range of 65536.
func idsOf(t *testing.T, pid int) int {
	t.Helper()
	first := 0
	for _, file := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(string(text))
		if len(f) != 3 || f[0] != "0" || f[2] != "65536" {
			t.Fatalf("%s is %q", file, text)
		}
		if first, err = strconv.Atoi(f[1]); err != nil {
			t.Fatal(err)
		}
	}
	return first
}

// statusOf is a line of man 5 proc's status.
func statusOf(t *testing.T, pid int, key string) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Fields(value)
		}
	}
	t.Fatalf("process %d has no %s", pid, key)
	return nil
}

// Root in a pod with a user namespace of its own is nobody on the machine, and nobody that another pod has. It stays so
// over the death of the daemon, and what the pod had is given back with it.
//
// e2e: Security Context :: When creating a pod with HostUsers :: must create the user namespace if set to false [LinuxOnly]
// e2e: Security Context :: When creating a pod with HostUsers :: must not create the user namespace if set to true [LinuxOnly]
func TestUserNamespace(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	b.MustDrop("one", harness.OnePod("one", "i=0; trap 'exit 0' TERM; while :; do echo line-$i; i=$((i+1)); sleep 0.1; done", "hostUsers: false"))
	b.MustDrop("two", harness.OnePod("two", harness.Forever, "hostUsers: false"))
	pids, seen := map[string]int{}, map[int]bool{}
	for _, name := range []string{"one", "two"} {
		b.Running(name)
		pids[name] = b.PidOf(name)
		first := idsOf(t, pids[name])
		if first < 1<<16 || seen[first] {
			t.Errorf("pod %s has the ids from %d on", name, first)
		}
		seen[first] = true
		if uid := statusOf(t, pids[name], "Uid")[0]; uid != strconv.Itoa(first) {
			t.Errorf("root of pod %s is %s on the machine, not %d", name, uid, first)
		}
		checkOwnUsers(b, name)
	}
	b.MustDrop("host", harness.OnePod("host", harness.Forever, "hostUsers: true")) // after the others: nothing of theirs may stick to the daemon
	b.Running("host")
	if ids := strings.Join(statusOf(t, b.PidOf("host"), "Uid"), " "); ids != "0 0 0 0" {
		t.Errorf("a pod without has the ids %s", ids)
	}
	if got := b.Sh("host", "main", "stat -c %u:%g / /etc/hosts /dev/null /dev/tty /dev/shm | sort -u"); got != "0:0" {
		t.Errorf("in a pod without, files are %q", got)
	}
	b.MustKill9()
	b.Must(b.Ready(harness.Limit))
	for _, name := range []string{"one", "two"} {
		b.Running(name)
		if pid := b.PidOf(name); pid != pids[name] || !seen[idsOf(t, pid)] {
			t.Errorf("after the death of the daemon pod %s has process %d, not %d", name, pid, pids[name])
		}
		checkOwnUsers(b, name)
	}
	after := len(strings.Split(b.LogsOf("one"), "\n"))
	b.Logged("one", "main", fmt.Sprintf("line-%d\n", after+2))
	// One that comes now gets other ids than those that are held.
	b.MustDrop("three", harness.OnePod("three", harness.Forever, "hostUsers: false"))
	b.Running("three")
	if first := idsOf(t, b.PidOf("three")); seen[first] {
		t.Errorf("pod three has the ids of another, from %d on", first)
	}
	for _, name := range []string{"one", "two", "three"} {
		b.MustRemove(name)
	}
	for _, name := range []string{"one", "two", "three"} {
		b.Gone(name)
	}
	left, err := filepath.Glob(filepath.Join(b.Run, "users", "[0-9]*"))
	b.Must(err)
	mapped, err := filepath.Glob(filepath.Join(b.Run, "mapped", "*"))
	b.Must(err)
	mounts, err := lab.MountsBelow(filepath.Join(b.Run, "ns"))
	b.Must(err)
	if left = append(left, mapped...); len(left) != 0 || slices.ContainsFunc(mounts, func(m string) bool { return strings.HasSuffix(m, "/user") }) {
		t.Errorf("left behind: %v, mounts %v", left, mounts)
	}
}

// checkOwnUsers looks at what podd gives every pod: it belongs to the pod's root, who may do with it as ever.
func checkOwnUsers(b *harness.Board, name string) {
	b.T.Helper()
	script := "id -u; stat -c %u:%g / /etc /etc/hosts /etc/resolv.conf /bin/busybox /dev/shm /dev/termination-log | sort -u; " +
		"rm -f /made; touch /made; chown 65535:65535 /made; stat -c %u:%g /made; echo more >>/etc/hosts; echo to-stdout >/dev/stdout; " +
		"ip addr add 10.9.9.9/32 dev lo 2>&1 | tail -n 1; cat /proc/sys/kernel/hostname; sysctl -n net.ipv4.ip_unprivileged_port_start"
	if got := b.Sh(name, "main", script); got != "0\n0:0\n65535:65535\nto-stdout\nip: RTNETLINK answers: Operation not permitted\n"+name+"\n0" {
		b.T.Errorf("in pod %s: %q", name, got)
	}
}

// needsMappedMemory skips a test on kernels that cannot translate a tmpfs.
func needsMappedMemory(t *testing.T) {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if n, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); n != 2 || err != nil {
		t.Fatalf("the kernel's release is %q", name.Release)
	}
	if major < 6 || major == 6 && minor < 3 {
		t.Skip("a tmpfs with mapped ids needs Linux 6.3")
	}
}

// Files have the ids that the pod sees, on the disk as well: the mounts translate. What podd writes, what containers write,
// and what the machine has.
func TestUserNamespaceVolumes(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := harness.NewBoard(t)
	b.CLI("images", "load", harness.Archive(t, "variants.tar"))
	host := filepath.Join(b.Dir, "host")
	b.Must(errors.Join(os.Mkdir(host, 0o755), os.WriteFile(filepath.Join(host, "file"), []byte("x"), 0o600), os.Chown(filepath.Join(host, "file"), 1000, 1001)))
	b.MustDrop("config", harness.ObjectOf("ConfigMap", "config", "a: one"))
	b.MustDrop("secret", harness.ObjectOf("Secret", "secret", "password: swordfish"))
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "1Mi"))
	volumes := `volumes:
- {name: disk, emptyDir: {}}
- {name: memory, emptyDir: {medium: Memory}}
- {name: config, configMap: {name: config}}
- {name: secret, secret: {secretName: secret, defaultMode: 256}}
- {name: downward, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}
- {name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}
- {name: claim, persistentVolumeClaim: {claimName: data}}
- {name: host, hostPath: {path: ` + host + `}}
- {name: file, hostPath: {path: ` + host + `/file, type: File}}
- {name: image, image: {reference: 'podd.test/defaults:1', pullPolicy: Never}}
`
	mounts := []string{
		"{name: disk, mountPath: /disk}", "{name: memory, mountPath: /memory}", "{name: config, mountPath: /config}", "{name: secret, mountPath: /secret}",
		"{name: downward, mountPath: /downward}", "{name: token, mountPath: /token}", "{name: claim, mountPath: /claim}",
		"{name: host, mountPath: /host}", "{name: file, mountPath: /file, readOnly: true}",
		"{name: image, mountPath: /image}", "{name: image, mountPath: /part, subPath: bin}",
		"{name: disk, mountPath: /sub, subPath: made/by-podd}", "{name: config, mountPath: /etc/one, subPath: a}",
		"{name: host, mountPath: /again, readOnly: true, recursiveReadOnly: Enabled, mountPropagation: None}",
	}
	b.MustDrop("root", harness.PodOf("root", "hostUsers: false", volumes, harness.Mounting("main", harness.Forever, mounts...)))
	b.Running("root")
	script := `stat -c %u:%g:%a /disk /memory /config/..data/a /secret/..data/password /downward/..data/name /claim /host/file /file /again/file /image/bin/show /part/show /sub /etc/one
cat /secret/password /token/token >/dev/null || exit 1
for d in disk memory claim host sub; do touch /$d/root /$d/user; chown 1234:1235 /$d/user; mkdir /$d/dir; stat -c %u:%g /$d/root /$d/user /$d/dir; done | sort -u
touch /again/x 2>/dev/null && echo written; touch /file 2>/dev/null && echo touched; mount | grep -c idmapped`
	want := "0:0:777\n0:0:777\n0:0:644\n0:0:400\n0:0:644\n0:0:777\n1000:1001:600\n1000:1001:600\n1000:1001:600\n0:0:755\n0:0:755\n0:0:777\n0:0:644\n" +
		"0:0\n1234:1235\n12"
	if got := b.Sh("root", "main", script); got != want {
		t.Errorf("files are\n%s\nwant\n%s", got, want)
	}
	uid := string(b.MustPod("root").UID)
	for path, owner := range map[string]string{
		filepath.Join(host, "root"): "0:0", filepath.Join(host, "user"): "1234:1235",
		filepath.Join(b.Root, "pods", uid, "disk", "user"): "1234:1235", filepath.Join(b.Run, "volumes", uid, "memory", "root"): "0:0",
	} {
		var st unix.Stat_t
		b.Must(unix.Lstat(path, &st))
		if got := fmt.Sprintf("%d:%d", st.Uid, st.Gid); got != owner {
			t.Errorf("on the machine %s is %s's, not %s's", path, got, owner)
		}
	}
	b.MustDrop("config", harness.ObjectOf("ConfigMap", "config", "a: another"))
	b.Says("root", "main", "cat /config/a; stat -c %u:%g /config/..data/a", "another0:0")

	// What survives a reboot is the pod's whatever its ids are then.
	b.MustReboot()
	b.MustStart()
	b.Running("root")
	if got := b.Sh("root", "main", "stat -c %u:%g /claim/root /claim/user /disk/user /host/user"); got != "0:0\n1234:1235\n1234:1235\n1234:1235" {
		t.Errorf("after a reboot files are %q", got)
	}

	// An fsGroup, a user that is not root, and the container's root folder.
	b.MustDrop("user", harness.PodOf("user", "hostUsers: false", "securityContext: {runAsUser: 1000, runAsGroup: 1001, fsGroup: 2000, supplementalGroups: [3000]}",
		strings.Replace(volumes, "- {name: claim, persistentVolumeClaim: {claimName: data}}\n", "", 1),
		harness.Mounting("main", "echo to-stderr >/dev/stderr; "+harness.Forever, slices.Concat(mounts[:6], mounts[11:12])...)))
	b.Running("user")
	b.Logged("user", "main", "to-stderr")
	script = `id -u; id -g; id -G; stat -c %u:%g:%a /disk /memory /config/..data/a /secret/..data/password /sub
touch /disk/mine /memory/mine && stat -c %u:%g /disk/mine /memory/mine; cat /secret/password; test -s /token/token && touch /sub/mine && echo fine; cat /proc/self/uid_map | wc -l`
	want = "1000\n1001\n1001 2000 3000\n0:2000:2777\n0:2000:2777\n0:2000:644\n0:2000:440\n0:2000:2777\n1000:2000\n1000:2000\nswordfishfine\n1"
	if got := b.Sh("user", "main", script); got != want {
		t.Errorf("with a group of the pod's files are\n%s\nwant\n%s", got, want)
	}
}

// What the machine mounts later comes into a volume that asks for it; what a privileged container of such a pod mounts
// stays in it.
func TestUserNamespacePropagation(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "shared")
	b.Must(os.Mkdir(host, 0o755))
	b.Must(unix.Mount("shared", host, "tmpfs", 0, ""))
	b.Must(unix.Mount("", host, "", unix.MS_SHARED, ""))
	b.Must(errors.Join(os.Mkdir(filepath.Join(host, "late"), 0o755), os.Mkdir(filepath.Join(host, "pod"), 0o755)))
	b.MustDrop("mounts", harness.PodOf("mounts", "hostUsers: false", "volumes:\n- {name: v, hostPath: {path: "+host+"}}\n",
		harness.Mounting("none", harness.Forever, "{name: v, mountPath: /v}"),
		harness.Mounting("slave", harness.Forever, "{name: v, mountPath: /v, mountPropagation: HostToContainer}")+"  securityContext: {privileged: true}\n"))
	b.Running("mounts")
	b.Must(unix.Mount("late", filepath.Join(host, "late"), "tmpfs", 0, ""))
	b.Must(os.WriteFile(filepath.Join(host, "late/seen"), nil, 0o644))
	b.Sh("mounts", "slave", "mount -t tmpfs x /v/pod && touch /v/pod/made")
	for container, want := range map[string]string{"none": "", "slave": "made\nseen"} {
		if got := b.Sh("mounts", container, "ls /v/late /v/pod | grep -v : | sed '/^$/d' | sort"); got != want {
			t.Errorf("%s sees %q, want %q", container, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(host, "pod/made")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the machine sees the pod's mount: %v", err)
	}
}

// A kernel that translates no tmpfs still runs such pods, as the layer of mount points is not worth more; a ramfs is like that.
func TestUserNamespaceWithoutMappedMemory(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.Must(unix.Mount("ramfs", b.Run, "ramfs", 0, "mode=755"))
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("one", harness.OnePod("one", harness.Forever, "hostUsers: false"))
	b.Running("one")
	checkOwnUsers(b, "one")
	b.MustDrop("host", harness.PodOf("host", "hostUsers: false", "volumes: [{name: v, hostPath: {path: "+b.Run+"}}]", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}")))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		events := b.CLI("get", "events")
		return strings.Contains(events, `for volume "v" : the ramfs at `+b.Run+" cannot be mounted with a pod's own ids on this kernel"), fmt.Errorf("the events are:\n%s", events)
	}))
}

// Init containers, hooks, probes, sysctls, terminals, a shared process namespace, restarts and termination messages are as
// in other pods.
func TestUserNamespaceLife(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("life", harness.PodOf("life", "hostUsers: false", "shareProcessNamespace: true",
		"securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: net.ipv4.ip_unprivileged_port_start, value: '0'}]}",
		"volumes: [{name: v, emptyDir: {}}]",
		"initContainers:\n"+harness.Indent(harness.Mounting("init", "id -u >/v/init", "{name: v, mountPath: /v}"), 2),
		harness.Mounting("main", "httpd -p 8080 -h /v; touch /v/ready; "+harness.Forever, "{name: v, mountPath: /v}")+harness.Indent(`readinessProbe: {exec: {command: [sh, -c, 'test -e /v/ready && echo >/dev/stdout && id -u >/v/probe']}, periodSeconds: 1}
startupProbe: {httpGet: {path: /init, port: 8080}, periodSeconds: 1}
lifecycle: {postStart: {exec: {command: [sh, -c, 'id -u >/v/hook']}}}
`, 2),
		harness.Mounting("crash", "[ -e /v/crashed ] && exec sleep 1000; touch /v/crashed; echo farewell >/dev/termination-log; exit 3", "{name: v, mountPath: /v}"),
		harness.ContainerOf("terminal", harness.Forever, "tty: true", "stdin: true")))
	pod := b.WaitPod("life", func(p *corev1.Pod) string {
		if s := harness.ContainerStatus(p, "crash"); s.RestartCount == 0 {
			return "it has not restarted"
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return ""
			}
		}
		return "it is not ready"
	})
	if end := harness.ContainerStatus(pod, "crash").LastTerminationState.Terminated; end == nil || end.Message != "farewell\n" || end.ExitCode != 3 {
		t.Errorf("the first run of crash ended with %+v", end)
	}
	got := b.Sh("life", "main", "cat /v/init /v/hook /v/probe /proc/sys/kernel/shm_rmid_forced; ps | grep -q '/[p]ause$' && echo shared")
	if got != "0\n0\n0\n1\nshared" {
		t.Errorf("init container, hook, probe, sysctl and processes: %q", got)
	}
	if got := b.Sh("life", "terminal", "test -t 0; ls -l /proc/1/fd/0 /dev/pts | grep -c pts; stat -c %u /dev/console"); !strings.HasSuffix(got, "\n0") {
		t.Errorf("the terminal: %q", got)
	}
	if out, stderr, code := b.RunCLI("exec", "life", "-c", "main", "--", "sh", "-c", "kill -0 1 && exit 7"); code != 7 {
		t.Errorf("a signal within the pod: %d, %s%s", code, out, stderr)
	}
}

// What is privileged is so within the pod; an unmasked /proc is for such pods alone.
//
// e2e: ProcMount [LinuxOnly] :: will fail to unmask proc mounts if not in user namespace
// e2e: ProcMount [LinuxOnly] :: will unmask proc mounts if requested
// e2e: User Namespaces for Restricted Pod Security Standards [LinuxOnly] :: should allow userns pod
func TestUserNamespacePrivileges(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("p", harness.PodOf("p", "hostUsers: false",
		harness.ContainerOf("plain", harness.Forever),
		harness.ContainerOf("privileged", harness.Forever, "securityContext: {privileged: true}"),
		harness.ContainerOf("admin", harness.Forever, "securityContext: {capabilities: {add: [NET_ADMIN, SYS_ADMIN]}}"),
		harness.ContainerOf("unmasked", harness.Forever, "securityContext: {procMount: Unmasked}")))
	b.Running("p")
	for _, c := range []struct {
		container, script string
		allowed           bool
	}{
		{"plain", "mount -t tmpfs t /mnt", false},
		{"plain", "mknod /n c 1 3", false},
		{"plain", "grep -q ' /proc/sys .*ro,' /proc/self/mountinfo", true},
		{"privileged", "mkdir -p /mnt && mount -t tmpfs t /mnt && ip addr add 10.9.9.9/32 dev lo && hostname other", true},
		{"privileged", "test -c /dev/null && echo x >/dev/null && mount -t proc p /mnt", true},
		{"privileged", "mknod /n c 1 3 && cat /n", false},
		{"privileged", "date -s 2020-01-01 2>&1 | grep -q permitted", true},
		{"privileged", "echo 1 >/proc/sys/kernel/panic", false},
		{"privileged", "test -b /dev/vda && head -c 1 /dev/vda", false},
		{"privileged", "mkdir /sys/fs/cgroup/mine /sys/fs/cgroup/memory/mine", false},
		{"admin", "ip addr add 10.9.9.8/32 dev lo && mkdir -p /mnt && mount -t tmpfs t /mnt", true},
		{"unmasked", "grep -q ' /proc/sys .*ro,' /proc/self/mountinfo", false},
		{"unmasked", "grep -q ' /proc/kcore ' /proc/self/mountinfo", false},
	} {
		if out, stderr, code := b.RunCLI("exec", "p", "-c", c.container, "--", "sh", "-c", c.script); (code == 0) != c.allowed {
			t.Errorf("%s: %s: exit code %d: %s%s", c.container, c.script, code, out, stderr)
		}
	}
	if out, _, code := b.RunCLI("validate", "-f", b.Manifests); code != 0 {
		t.Errorf("the pod is not valid: %s", out)
	}
	b.MustDrop("q", harness.PodOf("q", harness.ContainerOf("main", harness.Forever, "securityContext: {procMount: Unmasked}")))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, stderr, _ := b.RunCLI("get", "pods")
		return strings.Contains(stderr, "`hostUsers` must be false to use `Unmasked`"), fmt.Errorf("get pods says %s", stderr)
	}))
}

// What cannot be waits with a sentence, and goes on when it can.
//
// e2e: Security Context :: When creating a pod with HostUsers :: must create the user namespace in the configured hostUID/hostGID range [LinuxOnly]
// e2e: user namespaces kubeconfig tests :: test config using userNamespaces.idsPerPod :: honors idsPerPod in userns pods [Serial]
func TestUserNamespaceWaits(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("userNamespaces: {base: 1966080000, size: 131072, idsPerPod: 131072}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	says := func(name, text string) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			events := b.CLI("get", "events")
			return slices.ContainsFunc(strings.Split(events, "\n"), func(l string) bool { return strings.Contains(l, "pod/"+name) && strings.Contains(l, text) }),
				fmt.Errorf("no event of %s with %q:\n%s", name, text, events)
		}))
	}
	b.MustDrop("one", harness.OnePod("one", "cat /proc/self/uid_map; "+harness.Forever, "hostUsers: false", "securityContext: {runAsUser: 100000}"))
	b.Running("one")
	b.Logged("one", "main", "\n")
	if got := strings.Fields(b.LogsOf("one")); !slices.Equal(got, []string{"0", "1966080000", "131072"}) {
		t.Errorf("the map is %q", got)
	}
	b.MustDrop("two", harness.OnePod("two", harness.Forever, "hostUsers: false"))
	says("two", "no ids of its own are left for a pod: 1 have some, from 1966080000 on")
	b.MustRemove("one")
	b.Gone("one")
	b.Running("two")
	b.MustRemove("two")
	b.Gone("two")

	b.MustDrop("far", harness.OnePod("far", harness.Forever, "hostUsers: false", "securityContext: {runAsUser: 131072}"))
	b.WaitPod("far", harness.IsWaitingFor("CreateContainerConfigError", `container cannot be configured: container "main" is to run as user or group 131072, and a pod with a user namespace of its own has those from 0 to 131071; set hostUsers: true`))
	b.MustRemove("far")
	b.Gone("far")

	b.MustDrop("device", harness.PodOf("device", "hostUsers: false", "volumes: [{name: tty, hostPath: {path: /proc}}]", harness.Mounting("main", harness.Forever, "{name: tty, mountPath: /tty}")))
	says("device", `MountVolume.SetUp failed for volume "tty" : the proc at /proc cannot be mounted with a pod's own ids on this kernel`)
	b.MustRemove("device")
	b.Gone("device")

	b.Must(os.Chmod(b.Dir, 0o700))
	b.MustDrop("closed", harness.OnePod("closed", harness.Forever, "hostUsers: false"))
	says("closed", "a pod's own root may not pass the folder "+b.Dir+", whose mode is 0700")
	b.Must(os.Chmod(b.Dir, 0o711))
	b.Running("closed")
}

// The daemon may die at any moment of a start; the next one finishes it, and nothing stays mapped or leased.
func TestUserNamespaceKillLoop(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	var names []string
	for i := range 8 {
		name := fmt.Sprintf("k%d", i)
		names = append(names, name)
		b.MustDrop(name, harness.PodOf(name, "hostUsers: false", "shareProcessNamespace: true", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { // further each time
			steps := len(b.Cgroup().Below()) + len(b.Cgroup().Pids())
			return steps >= 8*i+i%4, fmt.Errorf("%d steps", steps)
		}))
		b.MustKill9()
		b.Must(b.Ready(harness.Limit))
	}
	held := map[int]string{}
	for _, name := range names {
		b.Running(name)
		if got := b.Sh(name, "one", "id -u; stat -c %u /"); got != "0\n0" {
			t.Errorf("in pod %s: %q", name, got)
		}
		first, err := strconv.Atoi(strings.Fields(b.Sh(name, "two", "cat /proc/self/uid_map"))[1])
		b.Must(err)
		if other := held[first]; other != "" {
			t.Errorf("%s and %s have the same ids", name, other)
		}
		held[first] = name
	}
	for _, name := range names {
		b.MustRemove(name)
	}
	for _, name := range names {
		b.Gone(name)
	}
	for _, pattern := range []string{"users/[0-9]*", "mapped/*", "ns/*"} {
		if left, err := filepath.Glob(filepath.Join(b.Run, pattern)); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	}
}

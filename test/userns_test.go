package test

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
	b := newBoard(t, withFDStore)
	b.drop("one", onePod("one", "i=0; trap 'exit 0' TERM; while :; do echo line-$i; i=$((i+1)); sleep 0.1; done", "hostUsers: false"))
	b.drop("two", onePod("two", forever, "hostUsers: false"))
	pids, seen := map[string]int{}, map[int]bool{}
	for _, name := range []string{"one", "two"} {
		b.running(name)
		pids[name] = b.pidOf(name)
		first := idsOf(t, pids[name])
		if first < 1<<16 || seen[first] {
			t.Errorf("pod %s has the ids from %d on", name, first)
		}
		seen[first] = true
		if uid := statusOf(t, pids[name], "Uid")[0]; uid != strconv.Itoa(first) {
			t.Errorf("root of pod %s is %s on the machine, not %d", name, uid, first)
		}
		b.checkOwnUsers(name)
	}
	b.drop("host", onePod("host", forever, "hostUsers: true")) // after the others: nothing of theirs may stick to the daemon
	b.running("host")
	if ids := strings.Join(statusOf(t, b.pidOf("host"), "Uid"), " "); ids != "0 0 0 0" {
		t.Errorf("a pod without has the ids %s", ids)
	}
	if got := b.sh("host", "main", "stat -c %u:%g / /etc/hosts /dev/null /dev/tty /dev/shm | sort -u"); got != "0:0" {
		t.Errorf("in a pod without, files are %q", got)
	}
	b.kill9()
	b.must(b.Ready(limit))
	for _, name := range []string{"one", "two"} {
		b.running(name)
		if pid := b.pidOf(name); pid != pids[name] || !seen[idsOf(t, pid)] {
			t.Errorf("after the death of the daemon pod %s has process %d, not %d", name, pid, pids[name])
		}
		b.checkOwnUsers(name)
	}
	after := len(strings.Split(b.logs("one"), "\n"))
	b.logged("one", "main", fmt.Sprintf("line-%d\n", after+2))
	// One that comes now gets other ids than those that are held.
	b.drop("three", onePod("three", forever, "hostUsers: false"))
	b.running("three")
	if first := idsOf(t, b.pidOf("three")); seen[first] {
		t.Errorf("pod three has the ids of another, from %d on", first)
	}
	for _, name := range []string{"one", "two", "three"} {
		b.remove(name)
	}
	for _, name := range []string{"one", "two", "three"} {
		b.gone(name)
	}
	left, err := filepath.Glob(filepath.Join(b.Run, "users", "[0-9]*"))
	b.must(err)
	mapped, err := filepath.Glob(filepath.Join(b.Run, "mapped", "*"))
	b.must(err)
	mounts, err := lab.MountsBelow(filepath.Join(b.Run, "ns"))
	b.must(err)
	if left = append(left, mapped...); len(left) != 0 || slices.ContainsFunc(mounts, func(m string) bool { return strings.HasSuffix(m, "/user") }) {
		t.Errorf("left behind: %v, mounts %v", left, mounts)
	}
}

// checkOwnUsers looks at what podd gives every pod: it belongs to the pod's root, who may do with it as ever.
func (b *Board) checkOwnUsers(name string) {
	b.t.Helper()
	script := "id -u; stat -c %u:%g / /etc /etc/hosts /etc/resolv.conf /bin/busybox /dev/shm /dev/termination-log | sort -u; " +
		"rm -f /made; touch /made; chown 65535:65535 /made; stat -c %u:%g /made; echo more >>/etc/hosts; echo to-stdout >/dev/stdout; " +
		"ip addr add 10.9.9.9/32 dev lo 2>&1 | tail -n 1; cat /proc/sys/kernel/hostname; sysctl -n net.ipv4.ip_unprivileged_port_start"
	if got := b.sh(name, "main", script); got != "0\n0:0\n65535:65535\nto-stdout\nip: RTNETLINK answers: Operation not permitted\n"+name+"\n0" {
		b.t.Errorf("in pod %s: %q", name, got)
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
	b := newBoard(t)
	b.podd("images", "load", archive(t, "variants.tar"))
	host := filepath.Join(b.Dir, "host")
	b.must(errors.Join(os.Mkdir(host, 0o755), os.WriteFile(filepath.Join(host, "file"), []byte("x"), 0o600), os.Chown(filepath.Join(host, "file"), 1000, 1001)))
	b.drop("config", objectOf("ConfigMap", "config", "a: one"))
	b.drop("secret", objectOf("Secret", "secret", "password: swordfish"))
	b.drop("data", claimOf("data", "ReadWriteOnce", "1Mi"))
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
	b.drop("root", podOf("root", "hostUsers: false", volumes, mounting("main", forever, mounts...)))
	b.running("root")
	script := `stat -c %u:%g:%a /disk /memory /config/..data/a /secret/..data/password /downward/..data/name /claim /host/file /file /again/file /image/bin/show /part/show /sub /etc/one
cat /secret/password /token/token >/dev/null || exit 1
for d in disk memory claim host sub; do touch /$d/root /$d/user; chown 1234:1235 /$d/user; mkdir /$d/dir; stat -c %u:%g /$d/root /$d/user /$d/dir; done | sort -u
touch /again/x 2>/dev/null && echo written; touch /file 2>/dev/null && echo touched; mount | grep -c idmapped`
	want := "0:0:777\n0:0:777\n0:0:644\n0:0:400\n0:0:644\n0:0:777\n1000:1001:600\n1000:1001:600\n1000:1001:600\n0:0:755\n0:0:755\n0:0:777\n0:0:644\n" +
		"0:0\n1234:1235\n12"
	if got := b.sh("root", "main", script); got != want {
		t.Errorf("files are\n%s\nwant\n%s", got, want)
	}
	uid := string(b.pod("root").UID)
	for path, owner := range map[string]string{
		filepath.Join(host, "root"): "0:0", filepath.Join(host, "user"): "1234:1235",
		filepath.Join(b.Root, "pods", uid, "disk", "user"): "1234:1235", filepath.Join(b.Run, "volumes", uid, "memory", "root"): "0:0",
	} {
		var st unix.Stat_t
		b.must(unix.Lstat(path, &st))
		if got := fmt.Sprintf("%d:%d", st.Uid, st.Gid); got != owner {
			t.Errorf("on the machine %s is %s's, not %s's", path, got, owner)
		}
	}
	b.drop("config", objectOf("ConfigMap", "config", "a: another"))
	b.says("root", "main", "cat /config/a; stat -c %u:%g /config/..data/a", "another0:0")

	// What survives a reboot is the pod's whatever its ids are then.
	b.reboot()
	b.start()
	b.running("root")
	if got := b.sh("root", "main", "stat -c %u:%g /claim/root /claim/user /disk/user /host/user"); got != "0:0\n1234:1235\n1234:1235\n1234:1235" {
		t.Errorf("after a reboot files are %q", got)
	}

	// An fsGroup, a user that is not root, and the container's root folder.
	b.drop("user", podOf("user", "hostUsers: false", "securityContext: {runAsUser: 1000, runAsGroup: 1001, fsGroup: 2000, supplementalGroups: [3000]}",
		strings.Replace(volumes, "- {name: claim, persistentVolumeClaim: {claimName: data}}\n", "", 1),
		mounting("main", "echo to-stderr >/dev/stderr; "+forever, slices.Concat(mounts[:6], mounts[11:12])...)))
	b.running("user")
	b.logged("user", "main", "to-stderr")
	script = `id -u; id -g; id -G; stat -c %u:%g:%a /disk /memory /config/..data/a /secret/..data/password /sub
touch /disk/mine /memory/mine && stat -c %u:%g /disk/mine /memory/mine; cat /secret/password; test -s /token/token && touch /sub/mine && echo fine; cat /proc/self/uid_map | wc -l`
	want = "1000\n1001\n1001 2000 3000\n0:2000:2777\n0:2000:2777\n0:2000:644\n0:2000:440\n0:2000:2777\n1000:2000\n1000:2000\nswordfishfine\n1"
	if got := b.sh("user", "main", script); got != want {
		t.Errorf("with a group of the pod's files are\n%s\nwant\n%s", got, want)
	}
}

// What the machine mounts later comes into a volume that asks for it; what a privileged container of such a pod mounts
// stays in it.
func TestUserNamespacePropagation(t *testing.T) {
	t.Parallel()
	needsMappedMemory(t)
	b := newBoard(t)
	host := filepath.Join(b.Dir, "shared")
	b.must(os.Mkdir(host, 0o755))
	b.must(unix.Mount("shared", host, "tmpfs", 0, ""))
	b.must(unix.Mount("", host, "", unix.MS_SHARED, ""))
	b.must(errors.Join(os.Mkdir(filepath.Join(host, "late"), 0o755), os.Mkdir(filepath.Join(host, "pod"), 0o755)))
	b.drop("mounts", podOf("mounts", "hostUsers: false", "volumes:\n- {name: v, hostPath: {path: "+host+"}}\n",
		mounting("none", forever, "{name: v, mountPath: /v}"),
		mounting("slave", forever, "{name: v, mountPath: /v, mountPropagation: HostToContainer}")+"  securityContext: {privileged: true}\n"))
	b.running("mounts")
	b.must(unix.Mount("late", filepath.Join(host, "late"), "tmpfs", 0, ""))
	b.must(os.WriteFile(filepath.Join(host, "late/seen"), nil, 0o644))
	b.sh("mounts", "slave", "mount -t tmpfs x /v/pod && touch /v/pod/made")
	for container, want := range map[string]string{"none": "", "slave": "made\nseen"} {
		if got := b.sh("mounts", container, "ls /v/late /v/pod | grep -v : | sed '/^$/d' | sort"); got != want {
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
	b := newEmptyBoard(t)
	b.must(unix.Mount("ramfs", b.Run, "ramfs", 0, "mode=755"))
	b.loadImages("busybox.tar")
	b.start()
	b.drop("one", onePod("one", forever, "hostUsers: false"))
	b.running("one")
	b.checkOwnUsers("one")
	b.drop("host", podOf("host", "hostUsers: false", "volumes: [{name: v, hostPath: {path: "+b.Run+"}}]", mounting("main", forever, "{name: v, mountPath: /v}")))
	b.must(lab.Poll(limit, func() (bool, error) {
		events := b.podd("get", "events")
		return strings.Contains(events, `for volume "v" : the ramfs at `+b.Run+" cannot be mounted with a pod's own ids on this kernel"), fmt.Errorf("the events are:\n%s", events)
	}))
}

// Init containers, hooks, probes, sysctls, terminals, a shared process namespace, restarts and termination messages are as
// in other pods.
func TestUserNamespaceLife(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("life", podOf("life", "hostUsers: false", "shareProcessNamespace: true",
		"securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}, {name: net.ipv4.ip_unprivileged_port_start, value: '0'}]}",
		"volumes: [{name: v, emptyDir: {}}]",
		"initContainers:\n"+indent(mounting("init", "id -u >/v/init", "{name: v, mountPath: /v}"), 2),
		mounting("main", "httpd -p 8080 -h /v; touch /v/ready; "+forever, "{name: v, mountPath: /v}")+indent(`readinessProbe: {exec: {command: [sh, -c, 'test -e /v/ready && echo >/dev/stdout && id -u >/v/probe']}, periodSeconds: 1}
startupProbe: {httpGet: {path: /init, port: 8080}, periodSeconds: 1}
lifecycle: {postStart: {exec: {command: [sh, -c, 'id -u >/v/hook']}}}
`, 2),
		mounting("crash", "[ -e /v/crashed ] && exec sleep 1000; touch /v/crashed; echo farewell >/dev/termination-log; exit 3", "{name: v, mountPath: /v}"),
		containerOf("terminal", forever, "tty: true", "stdin: true")))
	pod := b.wait("life", func(p *corev1.Pod) string {
		if s := containerStatus(p, "crash"); s.RestartCount == 0 {
			return "it has not restarted"
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return ""
			}
		}
		return "it is not ready"
	})
	if end := containerStatus(pod, "crash").LastTerminationState.Terminated; end == nil || end.Message != "farewell\n" || end.ExitCode != 3 {
		t.Errorf("the first run of crash ended with %+v", end)
	}
	got := b.sh("life", "main", "cat /v/init /v/hook /v/probe /proc/sys/kernel/shm_rmid_forced; ps | grep -q '/[p]ause$' && echo shared")
	if got != "0\n0\n0\n1\nshared" {
		t.Errorf("init container, hook, probe, sysctl and processes: %q", got)
	}
	if got := b.sh("life", "terminal", "test -t 0; ls -l /proc/1/fd/0 /dev/pts | grep -c pts; stat -c %u /dev/console"); !strings.HasSuffix(got, "\n0") {
		t.Errorf("the terminal: %q", got)
	}
	if out, stderr, code := b.run("exec", "life", "-c", "main", "--", "sh", "-c", "kill -0 1 && exit 7"); code != 7 {
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
	b := newBoard(t)
	b.drop("p", podOf("p", "hostUsers: false",
		containerOf("plain", forever),
		containerOf("privileged", forever, "securityContext: {privileged: true}"),
		containerOf("admin", forever, "securityContext: {capabilities: {add: [NET_ADMIN, SYS_ADMIN]}}"),
		containerOf("unmasked", forever, "securityContext: {procMount: Unmasked}")))
	b.running("p")
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
		if out, stderr, code := b.run("exec", "p", "-c", c.container, "--", "sh", "-c", c.script); (code == 0) != c.allowed {
			t.Errorf("%s: %s: exit code %d: %s%s", c.container, c.script, code, out, stderr)
		}
	}
	if out, _, code := b.run("validate", "-f", b.Manifests); code != 0 {
		t.Errorf("the pod is not valid: %s", out)
	}
	b.drop("q", podOf("q", containerOf("main", forever, "securityContext: {procMount: Unmasked}")))
	b.must(lab.Poll(limit, func() (bool, error) {
		_, stderr, _ := b.run("get", "pods")
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
	b := newBoard(t, withArgs("--config", file))
	says := func(name, text string) {
		t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) {
			events := b.podd("get", "events")
			return slices.ContainsFunc(strings.Split(events, "\n"), func(l string) bool { return strings.Contains(l, "pod/"+name) && strings.Contains(l, text) }),
				fmt.Errorf("no event of %s with %q:\n%s", name, text, events)
		}))
	}
	b.drop("one", onePod("one", "cat /proc/self/uid_map; "+forever, "hostUsers: false", "securityContext: {runAsUser: 100000}"))
	b.running("one")
	b.logged("one", "main", "\n")
	if got := strings.Fields(b.logs("one")); !slices.Equal(got, []string{"0", "1966080000", "131072"}) {
		t.Errorf("the map is %q", got)
	}
	b.drop("two", onePod("two", forever, "hostUsers: false"))
	says("two", "no ids of its own are left for a pod: 1 have some, from 1966080000 on")
	b.remove("one")
	b.gone("one")
	b.running("two")
	b.remove("two")
	b.gone("two")

	b.drop("far", onePod("far", forever, "hostUsers: false", "securityContext: {runAsUser: 131072}"))
	b.wait("far", isWaitingFor("CreateContainerConfigError", `container cannot be configured: container "main" is to run as user or group 131072, and a pod with a user namespace of its own has those from 0 to 131071; set hostUsers: true`))
	b.remove("far")
	b.gone("far")

	b.drop("device", podOf("device", "hostUsers: false", "volumes: [{name: tty, hostPath: {path: /proc}}]", mounting("main", forever, "{name: tty, mountPath: /tty}")))
	says("device", `MountVolume.SetUp failed for volume "tty" : the proc at /proc cannot be mounted with a pod's own ids on this kernel`)
	b.remove("device")
	b.gone("device")

	b.must(os.Chmod(b.Dir, 0o700))
	b.drop("closed", onePod("closed", forever, "hostUsers: false"))
	says("closed", "a pod's own root may not pass the folder "+b.Dir+", whose mode is 0700")
	b.must(os.Chmod(b.Dir, 0o711))
	b.running("closed")
}

// The daemon may die at any moment of a start; the next one finishes it, and nothing stays mapped or leased.
func TestUserNamespaceKillLoop(t *testing.T) {
	t.Parallel()
	b := newBoard(t, withFDStore)
	var names []string
	for i := range 8 {
		name := fmt.Sprintf("k%d", i)
		names = append(names, name)
		b.drop(name, podOf(name, "hostUsers: false", "shareProcessNamespace: true", containerOf("one", forever), containerOf("two", forever)))
		b.must(lab.Poll(limit, func() (bool, error) { // further each time
			steps := len(b.Cgroup().Below()) + len(b.Cgroup().Pids())
			return steps >= 8*i+i%4, fmt.Errorf("%d steps", steps)
		}))
		b.kill9()
		b.must(b.Ready(limit))
	}
	held := map[int]string{}
	for _, name := range names {
		b.running(name)
		if got := b.sh(name, "one", "id -u; stat -c %u /"); got != "0\n0" {
			t.Errorf("in pod %s: %q", name, got)
		}
		first, err := strconv.Atoi(strings.Fields(b.sh(name, "two", "cat /proc/self/uid_map"))[1])
		b.must(err)
		if other := held[first]; other != "" {
			t.Errorf("%s and %s have the same ids", name, other)
		}
		held[first] = name
	}
	for _, name := range names {
		b.remove(name)
	}
	for _, name := range names {
		b.gone(name)
	}
	for _, pattern := range []string{"users/[0-9]*", "mapped/*", "ns/*"} {
		if left, err := filepath.Glob(filepath.Join(b.Run, pattern)); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	}
}

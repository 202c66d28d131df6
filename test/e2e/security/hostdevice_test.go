package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// makeDevice makes the node of a character device, in the place of what is there.
func makeDevice(b *harness.Board, path string, major, minor uint32, gid int) {
	b.T.Helper()
	_ = os.Remove(path)
	if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(major, minor))); err != nil {
		b.T.Skipf("no device can be made here: %v", err)
	}
	b.Must(os.Chown(path, 0, gid))
	b.Must(os.Chmod(path, 0o660))
}

// devFolder is a folder in /dev.
func devFolder(b *harness.Board) string {
	b.T.Helper()
	dir, err := os.MkdirTemp("/dev", "podd-test-")
	b.Must(err)
	b.T.Cleanup(func() { _ = os.RemoveAll(dir) })
	b.Must(os.Chmod(dir, 0o755))
	return dir
}

// A hostPath of a device opens that device for an unprivileged user, and no other; also in a
// user namespace.
func TestHostPathOpensDevices(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	dir := devFolder(b)
	stick, other := filepath.Join(b.Dir, "stick"), filepath.Join(dir, "other")
	makeDevice(b, stick, 10, 235, 4321) // autofs: it can be opened, and does nothing by itself
	makeDevice(b, other, 10, 234, 4321) // btrfs-control
	b.Must(os.Symlink("other", filepath.Join(dir, "by-name")))
	user := "securityContext: {runAsUser: 1000, allowPrivilegeEscalation: false}"
	for name, users := range map[string]string{"plain": "hostUsers: true", "own": "hostUsers: false"} {
		b.MustDrop(name, harness.PodOf(name, users,
			fmt.Sprintf("volumes:\n- {name: stick, hostPath: {path: %s, type: CharDevice}}\n- {name: folder, hostPath: {path: %s}}\n", stick, dir),
			harness.Mounting("one", harness.Forever, "{name: stick, mountPath: /dev/zigbee}")+"\n  "+user,
			harness.Mounting("two", harness.Forever, "{name: folder, mountPath: /dev/folder}", "{name: stick, mountPath: /ro, readOnly: true}")+"\n  "+user,
			harness.Mounting("root", harness.Forever, "{name: stick, mountPath: /dev/zigbee}")))
		b.Running(name)
		b.Sh(name, "one", "test $(id -G | tr ' ' '\\n' | grep -c 4321) = 1 && exec 3<>/dev/zigbee")
		b.Sh(name, "two", "exec 3<>/dev/folder/other && exec 4<>/dev/folder/by-name && exec 5</ro")
		for container, script := range map[string]string{"one": "exec 3<>/dev/folder/other", "two": "exec 3>/ro"} {
			if _, _, code := b.RunCLI("exec", name, "-c", container, "--", "sh", "-c", script); code == 0 {
				t.Errorf("%s: allowed: %s", name, script)
			}
		}
	}
	b.Sh("plain", "root", "exec 3<>/dev/zigbee; mknod /tmp/x c 10 234 && ! (exec 4<>/tmp/x) 2>/dev/null") // nobody asked for that one
}

// An adapter that is unplugged and comes back under another number is the running container's again, by its name and by the
// links that lead to it, and what it was is not, whoever has its number now. Also after podd has died.
func TestDeviceIsPluggedInAgain(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	dir := devFolder(b)
	tty, byID := filepath.Join(dir, "ttyUSB0"), filepath.Join(dir, "serial", "by-id")
	plugIn := func(minor uint32) {
		makeDevice(b, tty, 10, minor, 4321)
		b.Must(os.MkdirAll(byID, 0o755))
		b.Must(os.Symlink("../../ttyUSB0", filepath.Join(byID, "usb-Stick")))
	}
	unplug := func() {
		b.Must(os.Remove(tty))
		b.Must(os.RemoveAll(filepath.Join(dir, "serial")))
	}
	opens := func(name, place, number string) {
		b.T.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			out, stderr, code := b.RunCLI("exec", name, "-c", "main", "--", "sh", "-c", "exec 3<>"+place+" && stat -L -c %t:%T "+place)
			return code == 0 && strings.TrimSpace(out) == number, fmt.Errorf("%s: %s is %q: %s", name, place, out, stderr)
		}))
	}
	fails := func(name, place string) {
		b.T.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			_, _, code := b.RunCLI("exec", name, "-c", "main", "--", "sh", "-c", "exec 3<>"+place)
			return code != 0, fmt.Errorf("%s: %s can be opened", name, place)
		}))
	}
	plugIn(235)
	for name, users := range map[string]string{"plain": "hostUsers: true", "own": "hostUsers: false"} {
		b.MustDrop(name, harness.PodOf(name, users, fmt.Sprintf("volumes:\n- {name: tty, hostPath: {path: %s}}\n- {name: folder, hostPath: {path: %s}}\n", filepath.Join(byID, "usb-Stick"), byID),
			harness.Mounting("main", harness.Forever, "{name: tty, mountPath: /dev/zigbee}", "{name: tty, mountPath: /stick}", fmt.Sprintf("{name: folder, mountPath: %s}", byID))+
				"\n  securityContext: {runAsUser: 1000}",
			harness.Mounting("root", harness.Forever, "{name: tty, mountPath: /dev/zigbee}")))
	}
	for _, name := range []string{"plain", "own"} {
		b.Running(name)
		opens(name, "/dev/zigbee", "a:eb")
		opens(name, filepath.Join(byID, "usb-Stick"), "a:eb")
	}
	unplug()
	for _, name := range []string{"plain", "own"} {
		fails(name, "/dev/zigbee")
		fails(name, "/stick")
		b.HasEvent("Container main has lost /dev/zigbee (c 10:235)")
	}
	b.Sh("plain", "root", "mknod /tmp/x c 10 235 && ! (exec 3<>/tmp/x) 2>/dev/null") // whoever has the number now
	plugIn(234)
	for _, name := range []string{"plain", "own"} {
		for _, place := range []string{"/dev/zigbee", "/stick", filepath.Join(byID, "usb-Stick"), tty} {
			opens(name, place, "a:ea")
		}
	}
	b.HasEvent("Container main has got /dev/zigbee (c 10:234), which is at " + filepath.Join(byID, "usb-Stick"))
	b.MustKill9()
	unplug()
	plugIn(235)
	b.MustStart()
	for _, name := range []string{"plain", "own"} {
		opens(name, "/dev/zigbee", "a:eb")
	}
	for _, c := range []string{"plain", "own"} {
		if n := b.MustPod(c).Status.ContainerStatuses[0].RestartCount; n != 0 {
			t.Errorf("%s has started %d times more", c, n)
		}
	}
}

// A pod whose device is not there waits, and begins when it is plugged in.
func TestPodAwaitsItsDevice(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	dir := devFolder(b)
	stick := filepath.Join(dir, "stick")
	b.MustDrop("waits", harness.PodOf("waits", fmt.Sprintf("volumes: [{name: stick, hostPath: {path: %s}}]", stick), harness.Mounting("main", harness.Forever, "{name: stick, mountPath: /dev/stick}")))
	b.HasEvent(`MountVolume.SetUp failed for volume "stick" : device ` + stick + ` is not there`)
	makeDevice(b, stick, 10, 235, 0)
	b.Running("waits")
	b.Sh("waits", "main", "exec 3<>/dev/stick")
}

// Devices that rules of the configuration match are counted, given to one pod at a time, and followed wherever they are plugged
// in. A pod that asks for more than there is waits in the scheduler's words, and begins when a device is free.
func TestDevicesAsResources(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", file))
	dir := devFolder(b)
	rules := fmt.Sprintf("devices:\n- {resource: smarter-devices/*, path: %s/tty*, mountPath: /dev/stick}\n- {resource: squat.ai/many, path: %[1]s/many, count: 2}\n", dir)
	b.Must(os.WriteFile(file, []byte(rules), 0o600))
	makeDevice(b, filepath.Join(dir, "tty0"), 10, 235, 4321)
	makeDevice(b, filepath.Join(dir, "many"), 10, 234, 0)
	b.LoadImages("busybox.tar")
	b.MustStart()
	asks := func(name, resource string) {
		b.MustDrop(name, harness.PodOf(name, harness.ContainerOf("main", harness.Forever, fmt.Sprintf("resources: {limits: {%s: 1}}\nsecurityContext: {runAsUser: 1000}", resource))))
	}
	asks("first", "smarter-devices/tty0")
	b.Running("first")
	b.Sh("first", "main", "exec 3<>/dev/stick")
	asks("second", "smarter-devices/tty0")
	b.WaitPod("second", func(p *corev1.Pod) string {
		if len(p.Status.Conditions) == 1 && p.Status.Conditions[0].Message == "0/1 nodes are available: 1 Insufficient smarter-devices/tty0." {
			return ""
		}
		return fmt.Sprint(p.Status.Conditions)
	})
	if out := b.CLI("describe", "node"); !strings.Contains(out, "1 (100%)") || strings.Contains(out, "(200%)") {
		t.Errorf("who waits for a device is counted with the one that has it:\n%s", out)
	}
	asks("none", "smarter-devices/tty1")
	b.HasEvent("0/1 nodes are available: 1 Insufficient smarter-devices/tty1.")
	for _, name := range []string{"one", "two"} {
		asks(name, "squat.ai/many")
		b.Running(name)
	}
	asks("three", "squat.ai/many")
	b.HasEvent("0/1 nodes are available: 1 Insufficient squat.ai/many.")
	// The daemon's death changes nothing of who has what.
	b.MustKill9()
	b.MustStart()
	out := b.CLI("describe", "node")
	for _, want := range []string{"smarter-devices/tty0: 1", "squat.ai/many: 2", "smarter-devices/tty0 tty0 Healthy default/first main", "squat.ai/many many-0 Healthy default/one main", "squat.ai/many many-1 Healthy default/two main"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("describe node lacks %q:\n%s", want, out)
		}
	}
	b.WaitPod("second", harness.IsPhase(corev1.PodPending))
	b.MustRemove("first")
	b.Running("second")
	// Unplugged, and back as another device.
	b.Must(os.Remove(filepath.Join(dir, "tty0")))
	b.HasEvent("Container main has lost /dev/stick (c 10:235)")
	b.WaitPod("second", func(p *corev1.Pod) string {
		if s := p.Status.ContainerStatuses; len(s) == 1 && len(s[0].AllocatedResourcesStatus) == 1 && s[0].AllocatedResourcesStatus[0].Resources[0].Health == corev1.ResourceHealthStatusUnhealthy {
			return ""
		}
		return "it is said to be healthy"
	})
	makeDevice(b, filepath.Join(dir, "tty0"), 10, 234, 4321)
	b.HasEvent("Container main has got /dev/stick (c 10:234)")
	b.Sh("second", "main", "exec 3<>/dev/stick")
	// Plugged in for the first time.
	makeDevice(b, filepath.Join(dir, "tty1"), 10, 235, 4321)
	b.Running("none")
	// Another rule, from a reload on.
	b.Must(os.WriteFile(file, []byte(strings.ReplaceAll(rules, "count: 2", "count: 3")), 0o600))
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.Running("three")
}

// CDI specs say what a container with a device of theirs gets: nodes, variables, mounts, groups, hooks; by an annotation and by
// a resource. A spec that cannot be used is told of, and the others count.
func TestCDI(t *testing.T) {
	t.Parallel()
	file, specs := filepath.Join(t.TempDir(), "config.yaml"), t.TempDir()
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", file))
	b.Must(os.WriteFile(file, fmt.Appendf(nil, "cdiSpecDirs: [%s]\ndevices: [{cdi: example.com/gpu}]\n", specs), 0o600))
	stick, hook, said := filepath.Join(b.Dir, "stick"), filepath.Join(b.Dir, "hook"), filepath.Join(b.Dir, "said")
	makeDevice(b, stick, 10, 235, 4321)
	b.Must(os.WriteFile(hook, []byte("#!/bin/sh\ncat >"+said+"\n"), 0o755))
	b.Must(os.WriteFile(filepath.Join(specs, "gpu.yaml"), fmt.Appendf(nil, `cdiVersion: "0.7.0"
kind: example.com/gpu
containerEdits:
  env: [GPUS=some]
  hooks: [{hookName: createRuntime, path: %s, args: [hook]}]
devices:
- name: "0"
  containerEdits:
    env: [GPU=0]
    deviceNodes: [{path: /dev/gpu0, hostPath: %s}]
    mounts: [{hostPath: %s, containerPath: /specs, options: [ro, nosuid]}]
    additionalGids: [777]
`, hook, stick, specs), 0o600))
	b.Must(os.WriteFile(filepath.Join(specs, "bad.yaml"), []byte("cdiVersion: 0.7.0\nkind: nothing\n"), 0o600))
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.HasEvent("cannot use CDI spec " + filepath.Join(specs, "bad.yaml") + `: kind "nothing" must be VENDOR/CLASS`)
	user := "securityContext: {runAsUser: 1000}"
	b.MustDrop("noted", harness.ReplaceIn(t, harness.PodOf("noted", harness.ContainerOf("main", harness.Forever, user)), "  name: noted\n", "  name: noted\n  annotations: {cdi.k8s.io/me: example.com/gpu=0}\n"))
	b.MustDrop("asks", harness.PodOf("asks", harness.ContainerOf("main", harness.Forever, "resources: {limits: {example.com/gpu: 1}}", user)))
	for _, name := range []string{"noted", "asks"} {
		b.Running(name)
		b.Sh(name, "main", `exec 3<>/dev/gpu0; test "$GPUS $GPU" = "some 0" && test -e /specs/gpu.yaml && ! touch /specs/x 2>/dev/null && id -G | grep -qw 777`)
	}
	state, err := os.ReadFile(said)
	b.Must(err)
	if !strings.Contains(string(state), `"bundle":"`+b.Run+"/roots/") {
		t.Errorf("the hook is told %s", state)
	}
	b.MustDrop("unknown", harness.ReplaceIn(t, harness.PodOf("unknown", harness.ContainerOf("main", harness.Forever)), "  name: unknown\n", "  name: unknown\n  annotations: {cdi.k8s.io/me: example.com/gpu=9}\n"))
	b.WaitPod("unknown", harness.IsWaitingFor("CreateContainerError", "CDI device injection failed: unresolvable CDI devices example.com/gpu=9: the specs of example.com/gpu have no device 9"))
}

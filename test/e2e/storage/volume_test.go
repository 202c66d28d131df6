package storage

import (
	"errors"
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

// An emptyDir is empty, open to every user, shared by the containers of the pod, kept over their restarts and the
// daemon's death, and gone with the pod.
//
// e2e: EmptyDir volumes :: should support (root,0666,default)
// e2e: EmptyDir volumes :: should support (non-root,0777,default)
// e2e: EmptyDir volumes :: should support (root,0644,tmpfs)
// e2e: EmptyDir volumes :: should support (non-root,0666,tmpfs)
// e2e: Kubelet Volume Manager :: Volume Manager :: On termination of pod with memory backed volume :: should remove the volume from the node
func TestEmptyDir(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t, harness.WithFDStore)
	volumes := "volumes:\n- {name: disk, emptyDir: {}}\n- {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}\n- {name: sticky, emptyDir: {mode: 0o1750}}\n"
	volumes = strings.ReplaceAll(volumes, "0o1750", "1000")
	mounts := []string{"{name: disk, mountPath: /disk}", "{name: memory, mountPath: /memory}", "{name: sticky, mountPath: /sticky}"}
	b.MustDrop("empty", harness.PodOf("empty", volumes,
		harness.Mounting("one", harness.Forever, mounts...),
		harness.Mounting("two", "[ -e /disk/once ] || { touch /disk/once; exit 1; }; "+harness.Forever, mounts...)+"  securityContext: {runAsUser: 1001}\n"))
	b.WaitPod("empty", func(p *corev1.Pod) string {
		for _, c := range p.Status.ContainerStatuses {
			if c.Name == "two" && c.RestartCount == 0 {
				return "container two has not restarted"
			}
		}
		return harness.IsRunning(p)
	})
	if got := b.Sh("empty", "one", "stat -c %a /disk /memory /sticky; stat -f -c %T /memory; ls -A /memory /sticky | grep -v :; df -k /memory | awk 'END{print $2}'"); got != "777\n777\n1750\ntmpfs\n\n1024" {
		t.Errorf("modes, type, content and size are %q", got)
	}
	b.Sh("empty", "two", "umask 022; echo shared >/disk/note; echo quick >/memory/note; stat -c %u /disk/note | grep -qx 1001")
	b.MustKill9()
	b.Must(b.Ready(harness.Limit))
	if got := b.Sh("empty", "one", "cat /disk/note /memory/note"); got != "shared\nquick" {
		t.Errorf("after the daemon's death: %q", got)
	}
	pod := b.MustPod("empty")
	b.MustRemove("empty")
	b.Gone("empty")
	for _, dir := range []string{filepath.Join(b.Root, "pods", string(pod.UID)), filepath.Join(b.Run, "volumes", string(pod.UID))} {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stays: %v", dir, err)
		}
	}
}

// An emptyDir on disk lives as long as its pod's UID, over a reboot too; what lies there of a pod whose manifest went
// meanwhile is removed.
func TestEmptyDirOverReboot(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	pod := func(name string) string {
		return harness.PodOf(name, "volumes:\n- {name: disk, emptyDir: {}}\n", harness.Mounting("main", "echo $HOSTNAME >>/disk/lives; "+harness.Forever, "{name: disk, mountPath: /disk}"))
	}
	b.MustDrop("stays", pod("stays"))
	b.MustDrop("goes", pod("goes"))
	b.Running("stays")
	b.Says("stays", "main", "cat /disk/lives", "stays")
	uid := b.Running("goes").UID
	b.MustReboot()
	b.MustRemove("goes")
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.Running("stays")
	b.Says("stays", "main", "cat /disk/lives", "stays\nstays")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, err := os.Lstat(filepath.Join(b.Root, "pods", string(uid)))
		return errors.Is(err, os.ErrNotExist), errors.New("the volume of a pod that is gone stays")
	}))
}

// fsGroup owns what a pod may write to.
//
// e2e: EmptyDir volumes :: when FSGroup is specified :: new files should be created with FSGroup ownership when container is non-root
// e2e: EmptyDir volumes :: when FSGroup is specified :: nonexistent volume subPath should have the correct mode and owner using FSGroup
// e2e: EmptyDir volumes :: when FSGroup is specified :: volume on tmpfs should have the correct mode using FSGroup
// e2e: Downward API volume :: should provide podname as non-root with fsgroup and defaultMode
func TestFSGroup(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("group", harness.PodOf("group", "securityContext: {fsGroup: 123, runAsUser: 1001}\nvolumes:\n- {name: disk, emptyDir: {}}\n- {name: memory, emptyDir: {medium: Memory}}\n"+
		"- {name: info, downwardAPI: {defaultMode: 256, items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}\n",
		harness.Mounting("main", harness.Forever, "{name: disk, mountPath: /disk}", "{name: memory, mountPath: /memory}", "{name: disk, mountPath: /sub, subPath: new/one}", "{name: info, mountPath: /info}")))
	b.Running("group")
	if got := b.Sh("group", "main", "touch /disk/f /memory/f; stat -c '%g %a' /disk /memory /sub; stat -c %g /disk/f /memory/f; cat /info/name; stat -Lc '%g %a' /info/name"); got != "123 2777\n123 2777\n123 2777\n123\n123\ngroup123 440" {
		t.Errorf("groups and modes are %q", got)
	}
}

// The downward API as files follows what it shows.
//
// e2e: Downward API volume :: should provide podname only
// e2e: Downward API volume :: should set DefaultMode on files
// e2e: Downward API volume :: should provide container's cpu limit
// e2e: Downward API volume :: should provide container's memory request
// e2e: Downward API volume :: should provide node allocatable (memory) as default memory limit if the limit is not set
// e2e: Downward API volume :: should update annotations on modification
// e2e: Projected downwardAPI :: should update labels on modification
func TestDownwardVolume(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	manifest := func(colour string) string {
		text := harness.PodOf("info", `volumes:
- name: info
  downwardAPI:
    defaultMode: 384
    items:
    - {path: name, fieldRef: {fieldPath: metadata.name}}
    - {path: labels, fieldRef: {fieldPath: metadata.labels}}
    - {path: deep/colour, mode: 292, fieldRef: {fieldPath: "metadata.annotations['colour']"}}
    - {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}
    - {path: memory, resourceFieldRef: {containerName: main, resource: requests.memory, divisor: 1Mi}}
    - {path: all, resourceFieldRef: {containerName: other, resource: limits.memory}}
- name: both
  projected: {sources: [{downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]}
`, harness.Mounting("main", harness.Forever, "{name: info, mountPath: /info}", "{name: both, mountPath: /both}")+"  resources: {limits: {cpu: 1250m}, requests: {memory: 33Mi}}\n", harness.ContainerOf("other", harness.Forever))
		return strings.Replace(text, "  name: info\n", "  name: info\n  labels: {b: two, a: \"1\"}\n  annotations: {colour: "+colour+"}\n", 1)
	}
	b.MustDrop("info", manifest("red"))
	uid := b.Running("info").UID
	if got := b.Sh("info", "main", "cd /info; for f in name labels deep/colour cpu memory; do cat $f; echo; done; cat /both/labels; stat -Lc %a name deep/colour"); got != "info\na=\"1\"\nb=\"two\"\nred\n1250\n33\na=\"1\"\nb=\"two\"600\n444" {
		t.Errorf("files are %q", got)
	}
	if got := b.Sh("info", "main", "test $(cat /info/all) -gt 1000000 && echo much"); got != "much" {
		t.Errorf("the default limit is %q", got)
	}
	if _, _, code := b.RunCLI("exec", "info", "-c", "main", "--", "touch", "/info/x"); code == 0 {
		t.Error("the volume can be written to")
	}
	b.MustDrop("info", manifest("blue"))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		got := b.Sh("info", "main", "cat /info/deep/colour")
		return got == "blue", fmt.Errorf("the annotation reads %q", got)
	}))
	if b.MustPod("info").UID != uid {
		t.Error("the pod was replaced")
	}
}

// hostPath shows the host; a check that fails keeps the pod waiting with the kubelet's words until it does not.
//
// e2e: HostPath :: should give a volume the correct mode
// e2e: HostPath :: should support r/w
// e2e: HostPath :: should support subPath
// e2e: HostPathType Directory :: Should fail on mounting non-existent directory 'does-not-exist-dir' when HostPathType is HostPathDirectory
// e2e: Terminate Pods :: should not hang when terminating pods mounting non-existent volumes
func TestHostPath(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "host")
	b.Must(os.MkdirAll(filepath.Join(host, "dir"), 0o755))
	b.MustDrop("host", harness.PodOf("host", fmt.Sprintf("volumes:\n- {name: dir, hostPath: {path: %s/dir, type: Directory}}\n- {name: made, hostPath: {path: %[1]s/made/deep, type: DirectoryOrCreate}}\n- {name: file, hostPath: {path: %[1]s/file, type: FileOrCreate}}\n- {name: nil, hostPath: {path: /dev/null, type: CharDevice}}\n", host),
		harness.Mounting("main", harness.Forever, "{name: dir, mountPath: /dir}", "{name: dir, mountPath: /ro, readOnly: true}", "{name: made, mountPath: /made}", "{name: file, mountPath: /file}", "{name: nil, mountPath: /null}", "{name: dir, mountPath: /sub, subPath: s}")))
	b.Running("host")
	b.Sh("host", "main", "echo 1 >/dir/a; echo 2 >/made/b; echo 3 >/file; echo 4 >/sub/c; echo 5 >/null; ! touch /ro/x 2>/dev/null")
	for name, want := range map[string]string{"dir/a": "1\n", "made/deep/b": "2\n", "file": "3\n", "dir/s/c": "4\n"} {
		if data, err := os.ReadFile(filepath.Join(host, name)); err != nil || string(data) != want {
			t.Errorf("%s on the host: %q, %v", name, data, err)
		}
	}
	late := func(name string) string {
		return harness.PodOf(name, fmt.Sprintf("volumes:\n- {name: late, hostPath: {path: %s/%s, type: Directory}}\n", host, name), harness.Mounting("main", harness.Forever, "{name: late, mountPath: /late}"))
	}
	b.MustDrop("late", late("late"))
	b.MustDrop("never", late("never"))
	want := "MountVolume.SetUp failed for volume \"late\" : hostPath type check failed: " + host + "/late is not a directory"
	b.WaitPod("late", func(p *corev1.Pod) string {
		if len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Waiting != nil && p.Status.ContainerStatuses[0].State.Waiting.Reason == "ContainerCreating" &&
			strings.Contains(b.CLI("get", "events"), want) {
			return ""
		}
		return "no FailedMount"
	})
	b.Must(os.Mkdir(filepath.Join(host, "late"), 0o755))
	b.Running("late")
	b.MustRemove("never")
	b.Gone("never")
	b.MustRemove("host")
	b.Gone("host")
	if _, err := os.Stat(filepath.Join(host, "dir/a")); err != nil {
		t.Errorf("the host's file went with the pod: %v", err)
	}
}

// Mounts nest in the right order whatever the manifest's, cover what the image and podd have there, and subPathExpr
// takes the container's variables.
//
// e2e: Variable Expansion :: should allow substituting values in a volume subpath
// e2e: KubeletManagedEtcHosts :: should test kubelet managed /etc/hosts file
func TestMountPlaces(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("nest", harness.PodOf("nest", "volumes:\n- {name: v, emptyDir: {}}\n- {name: w, emptyDir: {}}\ninitContainers:\n"+harness.Indent(harness.Mounting("fill", "echo mine >/v/hosts; mkdir -p /v/top/inner; echo in >/v/in", "{name: v, mountPath: /v}"), 0),
		harness.Mounting("main", harness.Forever,
			"{name: w, mountPath: /top/inner/deep}", "{name: v, mountPath: /top}", "{name: v, mountPath: /etc/hosts, subPath: hosts}", "{name: v, mountPath: /bin/inside}",
			"{name: w, mountPath: relative/path}", "{name: w, mountPath: /named, subPathExpr: $(POD)-logs}")+"  env: [{name: POD, value: some-pod}]\n"))
	b.Running("nest")
	if got := b.Sh("nest", "main", "cat /etc/hosts /top/in /bin/inside/in; touch /top/inner/deep/x; ls /relative/path"); got != "mine\nin\nin\nsome-pod-logs\nx" {
		t.Errorf("the mounts show %q", got)
	}
	status := b.MustPod("nest").Status.ContainerStatuses[0].VolumeMounts
	if len(status) != 6 || status[0].MountPath != "/top/inner/deep" || status[0].ReadOnly {
		t.Errorf("volumeMounts in the status are %+v", status)
	}
}

// A subPath that is a link out of the volume shows nothing of the host; the container waits with the reason.
func TestSubPathEscapes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for name, link := range map[string]string{"root": "/", "up": "../../../../etc", "proc": "/proc/self/root"} {
		b.MustDrop(name, harness.PodOf(name, "volumes:\n- {name: v, emptyDir: {}}\ninitContainers:\n"+harness.Indent(harness.Mounting("evil", "ln -s "+link+" /v/link", "{name: v, mountPath: /v}"), 0),
			harness.Mounting("main", harness.Forever, "{name: v, mountPath: /mnt, subPath: link}")))
		b.WaitPod(name, func(p *corev1.Pod) string {
			for _, c := range p.Status.ContainerStatuses {
				if w := c.State.Waiting; w != nil && w.Reason == "CreateContainerConfigError" && strings.Contains(w.Message, "failed to prepare subPath for volumeMount \"v\" of container \"main\"") {
					return ""
				}
			}
			return "not refused"
		})
	}
}

// Mounts come through where they are asked to, and only there. Read-only means all below where that is asked for.
func TestMountPropagation(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "shared")
	b.Must(os.Mkdir(host, 0o755))
	b.Must(unix.Mount("shared", host, "tmpfs", 0, ""))
	b.Must(unix.Mount("", host, "", unix.MS_SHARED, ""))
	for _, dir := range []string{"host", "pod", "sub"} {
		b.Must(os.Mkdir(filepath.Join(host, dir), 0o755))
	}
	b.Must(unix.Mount("sub", filepath.Join(host, "sub"), "tmpfs", 0, ""))
	b.MustDrop("mounts", harness.PodOf("mounts", "volumes:\n- {name: v, hostPath: {path: "+host+"}}\n",
		harness.Mounting("none", harness.Forever, "{name: v, mountPath: /v}", "{name: v, mountPath: /ro, readOnly: true}", "{name: v, mountPath: /rro, readOnly: true, recursiveReadOnly: Enabled}"),
		harness.Mounting("slave", harness.Forever, "{name: v, mountPath: /v, mountPropagation: HostToContainer}"),
		harness.Mounting("both", harness.Forever, "{name: v, mountPath: /v, mountPropagation: Bidirectional}")+"  securityContext: {privileged: true}\n"))
	b.Running("mounts")
	b.Must(unix.Mount("late", filepath.Join(host, "host"), "tmpfs", 0, ""))
	b.Must(os.WriteFile(filepath.Join(host, "host/seen"), nil, 0o644))
	b.Sh("mounts", "both", "mount -t tmpfs x /v/pod && touch /v/pod/made")
	for container, want := range map[string]string{"none": "", "slave": "made\nseen", "both": "made\nseen"} {
		if got := b.Sh("mounts", container, "ls /v/host /v/pod | grep -v : | sed '/^$/d' | sort"); got != want {
			t.Errorf("%s sees %q, want %q", container, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(host, "pod/made")); err != nil {
		t.Errorf("the host does not see the pod's mount: %v", err)
	}
	if got := b.Sh("mounts", "none", "touch /ro/x 2>/dev/null || echo no; touch /ro/sub/x && echo yes; touch /rro/sub/y 2>/dev/null || echo no"); got != "no\nyes\nno" {
		t.Errorf("read-only mounts allow %q", got)
	}
	for _, m := range b.MustPod("mounts").Status.ContainerStatuses {
		for _, v := range m.VolumeMounts {
			if v.MountPath == "/rro" && (v.RecursiveReadOnly == nil || *v.RecursiveReadOnly != corev1.RecursiveReadOnlyEnabled) {
				t.Errorf("status of /rro: %+v", v)
			}
		}
	}
}

// What a pod has made of its volumes does not keep it from going.
func TestHostileVolumesGo(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	host := filepath.Join(b.Dir, "host")
	b.Must(os.Mkdir(host, 0o755))
	b.Must(os.WriteFile(filepath.Join(host, "keep"), nil, 0o644))
	b.MustDrop("bad", harness.PodOf("bad", "volumes:\n- {name: v, emptyDir: {}}\n- {name: m, emptyDir: {medium: Memory}}\n- {name: h, hostPath: {path: "+host+"}}\n",
		harness.Mounting("main", "cd /v; i=0; n=$(printf %0200d 0); while [ $i -lt 60 ]; do mkdir $n && cd -P $n || exit 1; i=$((i+1)); done; touch /v/done; "+harness.Forever,
			"{name: v, mountPath: /v, mountPropagation: Bidirectional}", "{name: m, mountPath: /m}", "{name: h, mountPath: /h}")+"  securityContext: {privileged: true}\n"))
	pod := func() *corev1.Pod {
		// The volume's own mount must be shared for the pod to mount into it.
		b.Must(unix.Mount(b.Root, b.Root, "", unix.MS_BIND, ""))
		b.Must(unix.Mount("", b.Root, "", unix.MS_SHARED, ""))
		return b.Running("bad")
	}()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, _, code := b.RunCLI("exec", "bad", "--", "test", "-e", "/v/done")
		return code == 0, errors.New("the tree is not done")
	}))
	b.Sh("bad", "main", "ln -s / /v/root; mkdir /v/mnt /v/bind; mount -t tmpfs x /v/mnt; touch /v/mnt/f; mount --bind /h /v/bind; touch /v/fixed; chattr +i /v/fixed 2>/dev/null || true")
	b.MustRemove("bad")
	b.Gone("bad")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
	if _, err := os.Stat(filepath.Join(host, "keep")); err != nil {
		t.Errorf("the host's file is gone: %v", err)
	}
}

// An emptyDir that outgrows its sizeLimit ends its pod, and leaves nothing on the disk.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("greedy", harness.PodOf("greedy", "volumes:\n- {name: v, emptyDir: {sizeLimit: 1Mi}}\n", harness.Mounting("main", "dd if=/dev/zero of=/v/f bs=1M count=3; "+harness.Forever, "{name: v, mountPath: /v}")))
	pod := b.WaitPod("greedy", harness.IsPhase(corev1.PodFailed))
	if pod.Status.Reason != "Evicted" || pod.Status.Message != "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". " {
		t.Errorf("reason %q, message %q", pod.Status.Reason, pod.Status.Message)
	}
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID)))
		return errors.Is(err, os.ErrNotExist), errors.New("the volume of an evicted pod stays")
	}))
}

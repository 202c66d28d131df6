package storage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// newDiskBoard makes a board whose state is on an ext4 of its own.
func newDiskBoard(t *testing.T, size int64, mount string, features ...string) *harness.Board {
	t.Helper()
	b := harness.NewEmptyBoard(t)
	image := filepath.Join(b.Dir, "image")
	b.Must(os.WriteFile(image, nil, 0o600))
	b.Must(os.Truncate(image, size))
	if out, err := exec.Command("mkfs.ext4", append(append([]string{"-q"}, features...), image)...).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4 that does this: %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", mount, image, b.Root).CombinedOutput(); err != nil {
		t.Skipf("this kernel cannot mount it: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.Root, unix.MNT_DETACH) })
	b.LoadImages("busybox.tar")
	b.MustStart()
	return b
}

// Where the file system has project quotas, a sizeLimit and a claim's size are held by it: the pod is told that the disk
// is full, and goes on.
func TestQuotaBoard(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 64<<20, "loop,prjquota", "-O", "quota,project", "-E", "quotatype=prjquota")
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "3Mi"))
	// df would show the first volume of the two, which are on one disk.
	script := "for d in /e /c; do dd if=/dev/zero of=$d/f bs=64k count=100 2>&1 | grep -c 'quota exceeded\\|No space'; stat -f -c '%b %S' $d | awk '{print $1 * $2 / 1024}'; done; echo done; " + harness.Forever
	b.MustDrop("full", harness.PodOf("full", "volumes:\n- {name: e, emptyDir: {sizeLimit: 2Mi}}\n- {name: c, persistentVolumeClaim: {claimName: data}}\n",
		harness.Mounting("main", script, "{name: e, mountPath: /e}", "{name: c, mountPath: /c}")))
	b.Logged("full", "main", "done")
	if got := b.LogsOf("full"); got != "1\n2048\n1\n3072\ndone\n" {
		t.Errorf("the pod wrote %q", got)
	}
	b.MustKill9()
	b.MustStart()
	b.Must(b.Ready(harness.Limit))
	pod := b.Running("full")
	if pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("the pod was started again")
	}
	b.MustDrop("data", harness.ClaimOf("data", "ReadWriteOnce", "5Mi"))
	b.MustRemove("full")
	b.Gone("full")
	b.MustDrop("full", harness.PodOf("full", "volumes:\n- {name: c, persistentVolumeClaim: {claimName: data}}\n", harness.Mounting("main", harness.Forever, "{name: c, mountPath: /c}")))
	b.Running("full")
	if got := b.Sh("full", "main", "dd if=/dev/zero of=/c/g bs=64k count=24 2>/dev/null && stat -f -c '%b %S' /c | awk '{print $1 * $2 / 1024}'"); got != "5120" {
		t.Errorf("the claim that has grown: %q", got)
	}
}

// With the disk full to the last block, pods still go, and all their files with them; what runs goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 24<<20, "loop")
	b.MustDrop("stays", harness.OnePod("stays", harness.Forever))
	b.MustDrop("fills", harness.PodOf("fills", "volumes: [{name: v, emptyDir: {}}]\n",
		harness.Mounting("main", "mkdir -p /v/a/b/c; i=0; while echo $i >/v/a/b/c/$i; do i=$((i+1)); [ $i -lt 50 ] || break; done; dd if=/dev/zero of=/v/big bs=4k 2>/dev/null; cat /dev/zero >/v/a/rest 2>/dev/null; echo full; "+harness.Forever, "{name: v, mountPath: /v}")))
	stays := b.Running("stays")
	b.Logged("fills", "main", "full")
	pod := b.Running("fills")
	var fs unix.Statfs_t
	b.Must(unix.Statfs(b.Root, &fs))
	if free := int64(fs.Bavail) * fs.Bsize; free > 64<<10 {
		t.Fatalf("the disk has %d bytes left", free)
	}
	b.MustRemove("fills")
	b.Gone("fills")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
	b.MustDrop("next", harness.Claiming("next", "data", "echo x >/v/x; "+harness.Forever)+"---\n"+harness.ClaimOf("data", "ReadWriteOnce", "1Mi"))
	b.Running("next")
	if again := b.MustPod("stays"); harness.ContainerStatus(again, "main").ContainerID != harness.ContainerStatus(stays, "main").ContainerID {
		t.Error("the pod beside it was started again")
	}
}

// deepTree makes folders in one another, deeper than any path reaches.
func deepTree(b *harness.Board, dir string, depth int) {
	b.T.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_PATH, 0)
	for range depth {
		b.Must(err)
		b.Must(unix.Mkdirat(fd, "d", 0o755))
		var next int
		next, err = unix.Openat(fd, "d", unix.O_DIRECTORY|unix.O_PATH, 0)
		_ = unix.Close(fd)
		fd = next
	}
	b.Must(err)
	b.Must(unix.Close(fd))
}

// Ten thousand folders in one another, files that may not change, and a mount that somebody in the container still uses:
// the pod goes within its grace period, and the daemon answers meanwhile.
func TestAwkwardVolumesGo(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 128<<20, "loop", "-N", "20000")
	b.MustDrop("bad", harness.PodOf("bad", "volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]\n", harness.Mounting("main", harness.Forever, "{name: v, mountPath: /v}", "{name: w, mountPath: /w}")+"  securityContext: {privileged: true}\n"))
	pod := b.Running("bad")
	deepTree(b, filepath.Join(b.Root, "pods", string(pod.UID), "v"), 10_000)
	w := filepath.Join(b.Root, "pods", string(pod.UID), "w")
	b.Sh("bad", "main", "mkdir -p /w/m /w/dir; touch /w/i /w/a /w/dir/f")
	for name, flag := range map[string]int{"i": 0x10, "a": 0x20, "dir": 0x10} { // FS_IMMUTABLE_FL, FS_APPEND_FL
		f, err := os.Open(filepath.Join(w, name))
		b.Must(err)
		b.Must(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flag))
		b.Must(f.Close())
	}
	b.Must(unix.Mount("busy", filepath.Join(w, "m"), "tmpfs", 0, ""))
	busy, err := os.Create(filepath.Join(w, "m/busy"))
	b.Must(err)
	defer busy.Close()
	b.MustDrop("good", harness.OnePod("good", harness.Forever))
	b.MustRemove("bad")
	b.Running("good")
	b.Gone("bad")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
}

// What cannot be removed is said and tried again, and nothing else waits for it.
func TestVolumeThatStays(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 32<<20, "loop")
	b.MustDrop("stuck", harness.PodOf("stuck", "volumes: [{name: v, emptyDir: {}}]\n", harness.Mounting("main", "echo x >/v/x; "+harness.Forever, "{name: v, mountPath: /v}")))
	pod := b.Running("stuck")
	b.Sh("stuck", "main", "until [ -s /v/x ]; do :; done")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // podd may be writing a record
		err := unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		return err == nil, err
	}))
	b.MustRemove("stuck")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		events := b.CLI("get", "events")
		return strings.Contains(events, "FailedKillPod") && strings.Contains(events, "read-only file system"), fmt.Errorf("no event in %s", events)
	}))
	if b.MustPod("stuck").Status.Phase == corev1.PodPending {
		t.Error("the pod begins anew")
	}
	b.Must(unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	b.Gone("stuck")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
}

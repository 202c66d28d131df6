package test

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

	"podd/test/lab"
)

// newDiskBoard makes a board whose state is on an ext4 of its own.
func newDiskBoard(t *testing.T, size int64, mount string, features ...string) *Board {
	t.Helper()
	b := newEmptyBoard(t)
	image := filepath.Join(b.Dir, "image")
	b.must(os.WriteFile(image, nil, 0o600))
	b.must(os.Truncate(image, size))
	if out, err := exec.Command("mkfs.ext4", append(append([]string{"-q"}, features...), image)...).CombinedOutput(); err != nil {
		t.Skipf("no mkfs.ext4 that does this: %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", mount, image, b.Root).CombinedOutput(); err != nil {
		t.Skipf("this kernel cannot mount it: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.Root, unix.MNT_DETACH) })
	b.loadImages("busybox.tar")
	b.start()
	return b
}

// Where the file system has project quotas, a sizeLimit and a claim's size are held by it: the pod is told that the disk
// is full, and goes on.
func TestQuotaBoard(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 64<<20, "loop,prjquota", "-O", "quota,project", "-E", "quotatype=prjquota")
	b.drop("data", claimOf("data", "ReadWriteOnce", "3Mi"))
	// df would show the first volume of the two, which are on one disk.
	script := "for d in /e /c; do dd if=/dev/zero of=$d/f bs=64k count=100 2>&1 | grep -c 'quota exceeded\\|No space'; stat -f -c '%b %S' $d | awk '{print $1 * $2 / 1024}'; done; echo done; " + forever
	b.drop("full", podOf("full", "volumes:\n- {name: e, emptyDir: {sizeLimit: 2Mi}}\n- {name: c, persistentVolumeClaim: {claimName: data}}\n",
		mounting("main", script, "{name: e, mountPath: /e}", "{name: c, mountPath: /c}")))
	b.logged("full", "main", "done")
	if got := b.logs("full"); got != "1\n2048\n1\n3072\ndone\n" {
		t.Errorf("the pod wrote %q", got)
	}
	b.kill9()
	b.start()
	b.must(b.Ready(limit))
	pod := b.running("full")
	if pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("the pod was started again")
	}
	b.drop("data", claimOf("data", "ReadWriteOnce", "5Mi"))
	b.remove("full")
	b.gone("full")
	b.drop("full", podOf("full", "volumes:\n- {name: c, persistentVolumeClaim: {claimName: data}}\n", mounting("main", forever, "{name: c, mountPath: /c}")))
	b.running("full")
	if got := b.sh("full", "main", "dd if=/dev/zero of=/c/g bs=64k count=24 2>/dev/null && stat -f -c '%b %S' /c | awk '{print $1 * $2 / 1024}'"); got != "5120" {
		t.Errorf("the claim that has grown: %q", got)
	}
}

// With the disk full to the last block, pods still go, and all their files with them; what runs goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 24<<20, "loop")
	b.drop("stays", onePod("stays", forever))
	b.drop("fills", podOf("fills", "volumes: [{name: v, emptyDir: {}}]\n",
		mounting("main", "mkdir -p /v/a/b/c; i=0; while echo $i >/v/a/b/c/$i; do i=$((i+1)); [ $i -lt 50 ] || break; done; dd if=/dev/zero of=/v/big bs=4k 2>/dev/null; cat /dev/zero >/v/a/rest 2>/dev/null; echo full; "+forever, "{name: v, mountPath: /v}")))
	stays := b.running("stays")
	b.logged("fills", "main", "full")
	pod := b.running("fills")
	var fs unix.Statfs_t
	b.must(unix.Statfs(b.Root, &fs))
	if free := int64(fs.Bavail) * fs.Bsize; free > 64<<10 {
		t.Fatalf("the disk has %d bytes left", free)
	}
	b.remove("fills")
	b.gone("fills")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
	b.drop("next", claiming("next", "data", "echo x >/v/x; "+forever)+"---\n"+claimOf("data", "ReadWriteOnce", "1Mi"))
	b.running("next")
	if again := b.pod("stays"); containerStatus(again, "main").ContainerID != containerStatus(stays, "main").ContainerID {
		t.Error("the pod beside it was started again")
	}
}

// deepTree makes folders in one another, deeper than any path reaches.
func (b *Board) deepTree(dir string, depth int) {
	b.t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_PATH, 0)
	for range depth {
		b.must(err)
		b.must(unix.Mkdirat(fd, "d", 0o755))
		var next int
		next, err = unix.Openat(fd, "d", unix.O_DIRECTORY|unix.O_PATH, 0)
		_ = unix.Close(fd)
		fd = next
	}
	b.must(err)
	b.must(unix.Close(fd))
}

// Ten thousand folders in one another, files that may not change, and a mount that somebody in the container still uses:
// the pod goes within its grace period, and the daemon answers meanwhile.
func TestAwkwardVolumesGo(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 128<<20, "loop", "-N", "20000")
	b.drop("bad", podOf("bad", "volumes: [{name: v, emptyDir: {}}, {name: w, emptyDir: {}}]\n", mounting("main", forever, "{name: v, mountPath: /v}", "{name: w, mountPath: /w}")+"  securityContext: {privileged: true}\n"))
	pod := b.running("bad")
	b.deepTree(filepath.Join(b.Root, "pods", string(pod.UID), "v"), 10_000)
	w := filepath.Join(b.Root, "pods", string(pod.UID), "w")
	b.sh("bad", "main", "mkdir -p /w/m /w/dir; touch /w/i /w/a /w/dir/f")
	for name, flag := range map[string]int{"i": 0x10, "a": 0x20, "dir": 0x10} { // FS_IMMUTABLE_FL, FS_APPEND_FL
		f, err := os.Open(filepath.Join(w, name))
		b.must(err)
		b.must(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flag))
		b.must(f.Close())
	}
	b.must(unix.Mount("busy", filepath.Join(w, "m"), "tmpfs", 0, ""))
	busy, err := os.Create(filepath.Join(w, "m/busy"))
	b.must(err)
	defer busy.Close()
	b.drop("good", onePod("good", forever))
	b.remove("bad")
	b.running("good")
	b.gone("bad")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
}

// What cannot be removed is said and tried again, and nothing else waits for it.
func TestVolumeThatStays(t *testing.T) {
	t.Parallel()
	b := newDiskBoard(t, 32<<20, "loop")
	b.drop("stuck", podOf("stuck", "volumes: [{name: v, emptyDir: {}}]\n", mounting("main", "echo x >/v/x; "+forever, "{name: v, mountPath: /v}")))
	pod := b.running("stuck")
	b.sh("stuck", "main", "until [ -s /v/x ]; do :; done")
	b.must(lab.Poll(limit, func() (bool, error) { // podd may be writing a record
		err := unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		return err == nil, err
	}))
	b.remove("stuck")
	b.must(lab.Poll(limit, func() (bool, error) {
		events := b.podd("get", "events")
		return strings.Contains(events, "FailedKillPod") && strings.Contains(events, "read-only file system"), fmt.Errorf("no event in %s", events)
	}))
	if b.pod("stuck").Status.Phase == corev1.PodPending {
		t.Error("the pod begins anew")
	}
	b.must(unix.Mount("", b.Root, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	b.gone("stuck")
	if _, err := os.Lstat(filepath.Join(b.Root, "pods", string(pod.UID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the volume stays: %v", err)
	}
}

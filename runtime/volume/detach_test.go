package volume

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// hostWithDisk is a folder of the host as systemd mounts it, shared, with a disk on a folder of a folder in it.
func hostWithDisk(t *testing.T) (host, disk string) {
	t.Helper()
	private(t)
	host = t.TempDir()
	disk = filepath.Join(host, "sub", "disk")
	must(t, unix.Mount("host", host, "tmpfs", 0, ""), unix.Mount("", host, "", unix.MS_SHARED, ""), os.MkdirAll(disk, 0o755),
		unix.Mount("disk", disk, "tmpfs", 0, ""), os.WriteFile(filepath.Join(disk, "data"), nil, 0o600))
	t.Cleanup(func() { must(t, unix.Unmount(host, unix.MNT_DETACH)) })
	return host, disk
}

func isThere(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}

// A subPath of a volume in which the host has mounted something shows that too. When it is taken off, the host keeps its
// own: man 7 mount_namespaces has an unmount reach all peers.
func TestReleaseLeavesTheHostsMounts(t *testing.T) {
	host, disk := hostWithDisk(t)
	target := filepath.Join(t.TempDir(), "target")
	handle, err := OpenSubPath(host, "sub", false)
	must(t, err, Bind(handle, target, AsItIs), handle.Close())
	isThere(t, filepath.Join(target, "disk", "data"))
	must(t, Release(target))
	isThere(t, filepath.Join(disk, "data"))
	isGone(t, target)
}

// A container that mounts for the host may have bound a part of the host into its volume, with all that is below.
func TestRemoveLeavesTheHostsMounts(t *testing.T) {
	host, disk := hostWithDisk(t)
	dir := filepath.Join(t.TempDir(), "volume")
	must(t, os.MkdirAll(filepath.Join(dir, "bound"), 0o755), unix.Mount(host, filepath.Join(dir, "bound"), "", unix.MS_BIND|unix.MS_REC, ""))
	isThere(t, filepath.Join(dir, "bound", "sub", "disk", "data"))
	must(t, Remove(dir))
	isThere(t, filepath.Join(disk, "data"))
	isGone(t, dir)
}

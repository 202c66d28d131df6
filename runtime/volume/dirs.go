package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"podd/internal/hostfile"
	"podd/runtime/volume/nfs"
)

// Dirs are the places of the volumes that live and die with a pod; each has a folder per UID.
type Dirs struct {
	Disk   string
	Memory string // becomes a tmpfs of podd's own when it is first needed

	NFS nfs.Mounter

	mu    sync.Mutex
	guard *hostfile.Guard // under mu
}

// prepare mounts the tmpfs of all that is secret or small. It is one for all pods: containers see their parts of it
// read-only. What is in it is never swapped out to a disk, where the kernel knows that (Linux 6.4).
func (d *Dirs) prepare() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.MkdirAll(d.Memory, 0o711); err != nil {
		return fmt.Errorf("cannot make the folder of volumes: %w", err)
	}
	mounted, err := isMountPoint(d.Memory)
	if err != nil || mounted {
		return err
	}
	const flags = unix.MS_NODEV | unix.MS_NOSUID
	err = unix.Mount("podd-volumes", d.Memory, "tmpfs", flags, "mode=0711,noswap")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("podd-volumes", d.Memory, "tmpfs", flags, "mode=0711")
	}
	if err != nil {
		return fmt.Errorf("cannot mount a tmpfs for volumes: %w", err)
	}
	return nil
}

// Close takes off the tmpfs when no pod is left.
func (d *Dirs) Close() error {
	if err := unix.Unmount(d.Memory, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot unmount %s: %w", d.Memory, err)
	}
	return nil
}

// Remove takes away all volumes of a pod but those that outlive it.
func (d *Dirs) Remove(uid string) error {
	return errors.Join(d.RemoveMemory(uid), removeLimited(filepath.Join(d.Disk, uid)))
}

// RemoveMemory takes away what does not outlive the boot.
func (d *Dirs) RemoveMemory(uid string) error {
	if err := d.removeShares(uid); err != nil {
		return err
	}
	return Remove(filepath.Join(d.Memory, uid))
}

// Orphans lists the pods that have volumes and are not known.
func (d *Dirs) Orphans(known map[string]bool) []string {
	var list []string
	for _, dir := range []string{d.Disk, d.Memory} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !known[e.Name()] && !slices.Contains(list, e.Name()) {
				list = append(list, e.Name())
			}
		}
	}
	return list
}

// inMemory makes the folder of a volume's pod on the tmpfs and names the volume's own.
func (d *Dirs) inMemory(uid, name string) (string, error) {
	if err := d.prepare(); err != nil {
		return "", err
	}
	return folder(d.Memory, uid, name)
}

// SubPath is a place to mount a part of a volume of the pod; no volume may be named so.
func (d *Dirs) SubPath(uid, name string) (string, error) {
	dir, err := d.inMemory(uid, ".subpaths")
	return filepath.Join(dir, name), err
}

func (d *Dirs) onDisk(uid, name string) (string, error) { return folder(d.Disk, uid, name) }

// folder makes the folder of a volume's pod and names the volume's own.
func folder(parent, uid, name string) (string, error) {
	dir := filepath.Join(parent, uid)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the folder of a pod's volumes: %w", err)
	}
	return filepath.Join(dir, name), nil
}

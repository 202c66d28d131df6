package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/internal/hostfile"
	"podd/runtime/volume/nfs"
)

// ShareOf is what a volume of a pod is to show of an NFS server, nil if it is of another type.
func ShareOf(v *corev1.Volume) *nfs.Share {
	if v.NFS == nil {
		return nil
	}
	return &nfs.Share{Server: v.NFS.Server, Path: v.NFS.Path, ReadOnly: v.NFS.ReadOnly}
}

// share mounts what a server exports. Its files' owners are the server's: an fsGroup changes nothing, as with a kubelet.
func (d *Dirs) share(r *Request) (string, error) {
	dir, err := d.inMemory(r.UID, r.Volume.Name)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("cannot make the folder of a volume: %w", err)
	}
	if err := d.NFS.Mount(dir, r.Share); err != nil {
		return "", fmt.Errorf("mount failed: %w", err)
	}
	return dir, nil
}

// SharePath is where a volume of a pod is that shows an NFS server.
func (d *Dirs) SharePath(uid, name string) string { return joinVolume(d.Memory, uid, name) }

// PodOf names the pod, by its UID, that a path of a volume in memory belongs to.
func (d *Dirs) PodOf(path string) string {
	inner, _ := filepath.Rel(d.Memory, path)
	uid, _, _ := strings.Cut(inner, "/")
	return uid
}

// ForceShares lets all fail that waits for the NFS servers of a pod that ends.
func (d *Dirs) ForceShares(uid string) error { return nfs.Force(filepath.Join(d.Memory, uid)) }

// removeShares takes off what of a pod's folder is of NFS: nothing else is to look at that.
func (d *Dirs) removeShares(uid string) error {
	dir := filepath.Join(d.Memory, uid)
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return d.NFS.Unmount(dir)
}

// sharePatience is how long a start waits for what it looks at on a server; most is how many may be left behind.
const (
	sharePatience = 10 * time.Second
	shareMost     = 64
)

// GuardShare does what looks at the files of a server, which may never answer, and does not wait for ever. By key no two are
// begun at a time.
func (d *Dirs) GuardShare(key string, work func() error) error {
	d.mu.Lock()
	if d.guard == nil {
		d.guard = &hostfile.Guard{Patience: sharePatience, Most: shareMost}
	}
	d.mu.Unlock()
	err, hangs := hostfile.Do(d.guard, key, work)
	return errors.Join(err, hangs)
}

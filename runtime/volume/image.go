package volume

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// image shows the files of an image, read-only; nothing of it can be run. KEP-4639
func (d *Dirs) image(r *Request) (string, error) {
	if len(r.Layers) == 0 {
		return "", &notFound{fmt.Sprintf("image %q is not on this board", r.Volume.Image.Reference)}
	}
	dir, err := d.inMemory(r.UID, r.Volume.Name)
	if err != nil {
		return "", err
	}
	if _, err := makeFolder(dir, 0o755); err != nil {
		return "", err
	}
	// A bind of one layer has the layer's device: whether it is mounted, its parent tells.
	if mounted, err := isMountPoint(dir); err != nil || mounted {
		return dir, err
	}
	const flags = unix.MS_RDONLY | unix.MS_NOEXEC | unix.MS_NODEV | unix.MS_NOSUID
	if len(r.Layers) == 1 && r.Label == "" {
		err = errors.Join(unix.Mount(r.Layers[0], dir, "", unix.MS_BIND, ""), unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""))
	} else {
		lower := slices.Clone(r.Layers)
		slices.Reverse(lower)
		if len(lower) == 1 { // an overlay wants two, and a bind cannot have a label of its own
			lower = append(lower, dir)
		}
		err = unix.Mount("overlay", dir, "overlay", flags, labelled("lowerdir="+strings.Join(lower, ":"), r.Label))
	}
	if err != nil {
		return "", fmt.Errorf("cannot mount image %q: %w", r.Volume.Image.Reference, err)
	}
	return dir, nil
}

// RemoveImage takes the image of a volume off, which containers that run go on seeing.
func (d *Dirs) RemoveImage(uid, name string) error {
	err := unix.Unmount(joinVolume(d.Memory, uid, name), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot unmount the image of volume %q: %w", name, err)
	}
	return nil
}

package volume

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/volume/nfs"
)

// Request says everything about one volume of one pod.
type Request struct {
	UID       string
	Volume    *corev1.Volume
	Owner     Owner
	Lookup    *Lookup
	Memory    int64    // bytes that the pod may use of the board's memory; 0: no limit
	HugePages []int64  // sizes that the pod asks for, in bytes
	Claim     string   // the folder of the claim that the volume names
	Layers    []string // unpacked folders of the image that the volume names, lowest first
	Share     *nfs.Share
	Label     string // the SELinux label of what podd makes; "": none
	Now       time.Time
}

// Ensure makes a volume that is not there yet, brings the files of one that podd writes up to date, and returns where
// on the host it is.
func (d *Dirs) Ensure(r *Request) (path string, err error) {
	v := r.Volume
	switch {
	case r.Share != nil:
		return d.share(r)
	case v.EmptyDir != nil:
		return d.emptyDir(r)
	case v.HostPath != nil:
		return v.HostPath.Path, ensureHostPath(v.HostPath)
	case v.PersistentVolumeClaim != nil:
		return r.Claim, errors.Join(Own(r.Claim, r.Owner), Label(r.Claim, r.Label, false))
	case v.Ephemeral != nil:
		return d.ephemeral(r)
	case v.Image != nil:
		return d.image(r)
	}
	path, _, err = d.Refresh(r)
	return path, err
}

// Refresh brings the files of a volume that podd writes up to date; changed: they were not.
func (d *Dirs) Refresh(r *Request) (path string, changed bool, err error) {
	payload, ok, err := Files(r.Volume, r.Owner, r.Lookup)
	if err != nil {
		return "", false, err
	}
	if !ok {
		return "", false, errors.New("podd does not know this type of volume")
	}
	dir, err := d.inMemory(r.UID, r.Volume.Name)
	if err != nil {
		return "", false, err
	}
	if _, err := makeFolder(dir, emptyDirMode); err != nil {
		return "", false, err
	}
	changed, err = Write(dir, payload, r.Owner, r.Now)
	return dir, changed, errors.Join(err, Label(dir, r.Label, changed))
}

func (d *Dirs) emptyDir(r *Request) (string, error) {
	place := d.inMemory
	if r.Volume.EmptyDir.Medium == corev1.StorageMediumDefault {
		place = d.onDisk
	}
	dir, err := place(r.UID, r.Volume.Name)
	if err != nil {
		return "", err
	}
	if err := ensureEmptyDir(dir, r.Volume.EmptyDir, r); err != nil {
		return "", err
	}
	return dir, errors.Join(Own(dir, r.Owner), Label(dir, r.Label, false))
}

// ephemeral is a folder of the pod's with the size that the template asks for: nothing but the pod could use its claim.
func (d *Dirs) ephemeral(r *Request) (string, error) {
	dir, err := d.onDisk(r.UID, r.Volume.Name)
	if err != nil {
		return "", err
	}
	size := int64(0)
	if t := r.Volume.Ephemeral.VolumeClaimTemplate; t != nil {
		size = t.Spec.Resources.Requests.Storage().Value()
	}
	if err := EnsureFolder(dir, size); err != nil {
		return "", err
	}
	return dir, errors.Join(Own(dir, r.Owner), Label(dir, r.Label, false))
}

// Path is where a volume is that Ensure has made, without a look at it.
func (d *Dirs) Path(uid string, v *corev1.Volume) (string, error) {
	switch {
	case v.HostPath != nil:
		return v.HostPath.Path, nil
	case v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumDefault, v.Ephemeral != nil:
		return joinVolume(d.Disk, uid, v.Name), nil
	case v.EmptyDir != nil, v.ConfigMap != nil, v.Secret != nil, v.DownwardAPI != nil, v.Projected != nil, v.Image != nil, v.NFS != nil:
		return joinVolume(d.Memory, uid, v.Name), nil
	}
	return "", fmt.Errorf("volume %q has no folder of its own", v.Name)
}

func joinVolume(parent, uid, name string) string { return parent + "/" + uid + "/" + name }

// ReadOnly says of a volume that containers never write to it.
func ReadOnly(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.DownwardAPI != nil || v.Projected != nil || v.Image != nil ||
		v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ReadOnly || v.NFS != nil && v.NFS.ReadOnly
}

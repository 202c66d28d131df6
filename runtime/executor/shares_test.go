package executor

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
	"podd/runtime/volume"
	"podd/runtime/volume/nfs"
)

func nfsVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nas", Path: "/x"}}}
}

func claimVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}
}

// Which volumes show an NFS server, and where they are.
func TestIsShare(t *testing.T) {
	volumes := []corev1.Volume{nfsVolume("own"), claimVolume("media"), claimVolume("db"), claimVolume("unbound"), {Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	rec := &state.Record{UID: "uid", Object: &corev1.Pod{Spec: corev1.PodSpec{Volumes: volumes}}}
	rec.Volumes.MarkReady(map[string]string{"media": "nas:/media", "db": "/var/lib/podd/volumes/default_db"}, nil)
	op := &run{&Executor{Volumes: &volume.Dirs{Disk: "/disk", Memory: "/memory"}}, &Operation{Record: rec}}
	for i, want := range []bool{true, true, false, false, false} {
		if got := isShare(rec, &volumes[i]); got != want {
			t.Errorf("volume %s is of NFS: %v", volumes[i].Name, got)
		}
	}
	if !hasShares(rec) {
		t.Error("the pod has none")
	}
	for name, want := range map[string]string{"own": "/memory/uid/own", "media": "/memory/uid/media", "db": "/var/lib/podd/volumes/default_db"} {
		if path, _, err := op.volumePath(name); err != nil || path != want {
			t.Errorf("volume %s is at %s, %v", name, path, err)
		}
	}
	if uid := op.Volumes.PodOf("/memory/uid/own"); uid != "uid" {
		t.Errorf("the pod of a path is %q", uid)
	}
}

// While an operation waits for a server, another one has its place.
func TestStepAside(t *testing.T) {
	x := New(Executor{})
	for range maxOperations() {
		x.slots <- struct{}{}
	}
	op := &run{x, &Operation{}}
	back := op.stepAside()
	select {
	case x.slots <- struct{}{}:
	default:
		t.Fatal("its place is still taken")
	}
	<-x.slots // the other one has ended
	back()
	if len(x.slots) != maxOperations() {
		t.Errorf("%d operations have a place", len(x.slots))
	}
}

// A pod with users of its own has no volume of NFS: nothing is mounted for it.
func TestShareWithOwnUsers(t *testing.T) {
	no := false
	volumes := []corev1.Volume{nfsVolume("own")}
	rec := &state.Record{UID: "uid", Object: &corev1.Pod{Spec: corev1.PodSpec{Volumes: volumes, HostUsers: &no}}}
	x := New(Executor{Volumes: &volume.Dirs{Disk: t.TempDir(), Memory: t.TempDir()}})
	op := &run{x, &Operation{Record: rec}}
	err := op.ensureShare(&volume.Request{UID: "uid", Volume: &volumes[0], Share: &nfs.Share{Server: "nas", Path: "/x"}})
	var unmappable *userns.UnmappableError
	if !errors.As(err, &unmappable) || unmappable.Path != "nas:/x" {
		t.Errorf("%v", err)
	}
}

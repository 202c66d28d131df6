package executor

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/sandbox"
	"podd/runtime/sandbox/userns"
	"podd/runtime/state"
	"podd/runtime/volume"
	"podd/runtime/volume/nfs"
)

// Nothing but a pod itself waits for the NFS servers of its volumes: what may wait for one gives its place among the operations
// to others, and ends after a while.

// isShare says of a volume that it shows an NFS server. Claims are known from when the volumes were made.
func isShare(rec *state.Record, v *corev1.Volume) bool {
	if v.PersistentVolumeClaim == nil {
		return v.NFS != nil
	}
	folder := rec.Volumes.Folders[v.Name]
	return folder != "" && !filepath.IsAbs(folder)
}

func hasShares(rec *state.Record) bool {
	return slices.ContainsFunc(rec.Object.Spec.Volumes, func(v corev1.Volume) bool { return isShare(rec, &v) })
}

// ensureShare mounts a volume of NFS. The kernel cannot show its files with other owners.
func (op *run) ensureShare(request *volume.Request) error {
	if sandbox.HasOwnUsers(op.Record) {
		return &userns.UnmappableError{Path: request.Share.Source(), FileSystem: "nfs"}
	}
	defer op.stepAside()()
	_, err := op.Volumes.Ensure(request)
	return err
}

// stepAside gives up the operation's slot until the function that it returns is called.
func (op *run) stepAside() (back func()) {
	<-op.slots
	return func() { op.slots <- struct{}{} }
}

// startPatience is how long a container's start may wait for a server that has answered when it began.
const startPatience = 30 * time.Second

// beginShares looks whether the servers answer whose files a container mounts: its first process would wait for them. Until free
// is called the start holds nobody up, and what it waits for of them fails after a while.
func (op *run) beginShares(name string) (free func(), err error) {
	uid := string(op.Record.UID)
	var paths []string
	for _, m := range op.Record.Spec(name).VolumeMounts {
		path, v, err := op.volumePath(m.Name)
		if err == nil && isShare(op.Record, v) && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return func() {}, nil
	}
	back := op.stepAside()
	timer := time.AfterFunc(startPatience, func() { _ = op.Volumes.ForceShares(uid) })
	free = func() {
		timer.Stop()
		back()
	}
	for _, path := range paths {
		if err := nfs.Look(path); errors.Is(err, nfs.ErrNoAnswer) {
			return free, fmt.Errorf("volume %q: %w", filepath.Base(path), err)
		}
	}
	return free, nil
}

// A process that was killed may still have to write to a server: it is let go when it has not ended after the first of these,
// and again ever less often.
const (
	forceFirst = 2 * time.Second
	forceLast  = 30 * time.Second
)

// forceShares lets what waits for the servers of a pod's volumes fail until its container has ended.
func (x *Executor) forceShares(uid string, ended func() bool) {
	for wait := forceFirst; ; wait = min(2*wait, forceLast) {
		time.Sleep(wait)
		if ended() {
			return
		}
		if err := x.Volumes.ForceShares(uid); err != nil {
			x.Log.Warn("cannot let go of NFS servers", "uid", uid, "error", err)
		}
	}
}

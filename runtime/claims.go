package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/volume"
)

const (
	kindClaim  = "PersistentVolumeClaim"
	kindVolume = "PersistentVolume"
	kindClass  = "StorageClass"
)

// claims remembers what each claim is bound to, over reboots: what a pod has stored must be there again, whatever
// else the manifests offer by then.
type claims struct {
	path    string // of the file
	dir     string // holds the folders of claims
	bound   map[string]*volume.Binding
	pending map[string]volume.Pending
	// lost: what was bound is not known; it is found out when the manifests are.
	lost bool
}

func (c *claims) read() error {
	c.bound, c.pending = map[string]*volume.Binding{}, map[string]volume.Pending{}
	err := atomicfile.LoadJSON(c.path, &c.bound, func() error {
		for key, b := range c.bound {
			if namespace, name, ok := strings.Cut(key, "/"); !ok || namespace == "" || name == "" || strings.ContainsAny(key, "_") || strings.Count(key, "/") > 1 {
				return fmt.Errorf("%q is no claim", key)
			}
			if b == nil || b.Volume == "" && !b.Lost || b.Folder != "" && !filepath.IsAbs(b.Folder) {
				return fmt.Errorf("nothing says what claim %s is bound to", key)
			}
		}
		return nil
	})
	if err != nil {
		c.bound, c.lost = map[string]*volume.Binding{}, !errors.Is(err, fs.ErrNotExist)
	}
	return err
}

// isBound is false of a claim of which was lost what it was bound to.
func (c *claims) isBound(key string) bool { return c.bound[key] != nil && !c.bound[key].Lost }

// folder is where a claim's data is. A namespace has no underscore, so that no two claims have one folder.
func (c *claims) folder(key string, b *volume.Binding) string {
	if b.Folder != "" {
		return b.Folder
	}
	return filepath.Join(c.dir, strings.Replace(key, "/", "_", 1))
}

// bindClaims binds the claims that the folder has now, and shows what came of it.
func (r *Runtime) bindClaims(now state.Instant) {
	catalogue := volume.Catalogue{Taken: map[string]string{}}
	for _, o := range r.objects.List(kindVolume) {
		catalogue.Volumes = append(catalogue.Volumes, o.Value.(*corev1.PersistentVolume))
	}
	for _, o := range r.objects.List(kindClass) {
		catalogue.Classes = append(catalogue.Classes, o.Value.(*storagev1.StorageClass))
	}
	for key, b := range r.claims.bound {
		if !b.Lost {
			catalogue.Taken[b.Volume] = key
		}
	}
	changed := r.reclaim()
	for _, o := range r.objects.List(kindClaim) {
		claim := o.Value.(*corev1.PersistentVolumeClaim)
		key := claim.Namespace + "/" + claim.Name
		if !r.claims.isBound(key) {
			lost := r.claims.lost || r.claims.bound[key] != nil
			if b, why := r.bindClaim(&catalogue, claim, lost); b != nil {
				r.claims.bound[key], catalogue.Taken[b.Volume], changed = b, key, true
				delete(r.claims.pending, key)
			} else if r.claims.pending[key] != *why {
				r.claims.pending[key] = *why
				r.Events.Record(now.Wall, objects.Key{Kind: kindClaim, Namespace: claim.Namespace, Name: claim.Name}.Reference(), corev1.EventTypeNormal, why.Reason, why.Message)
			}
		}
		if r.claims.lost && !r.claims.isBound(key) {
			r.claims.bound[key], changed = &volume.Binding{Lost: true}, true
		}
		r.showClaim(claim, r.claims.bound[key])
	}
	if r.scanned && !r.folderNow.Hides(kindClaim, "", "") {
		r.claims.lost = false // all that were bound are bound again, or marked
	}
	if changed {
		r.disk.Persist(r.claims.path, r.claims.bound, "what claims are bound to")
	}
	r.showVolumes(catalogue.Volumes)
}

// bindClaim binds one claim. Of a claim of which was lost what it was bound to, only what cannot be anything else is taken:
// what the claim or a volume names, the folder that the pods that run use, or the folder of its own that is there.
func (r *Runtime) bindClaim(catalogue *volume.Catalogue, claim *corev1.PersistentVolumeClaim, lost bool) (*volume.Binding, *volume.Pending) {
	if !lost {
		return catalogue.Bind(claim)
	}
	key := claim.Namespace + "/" + claim.Name
	used := r.folderOf(claim.Namespace, claim.Name)
	own := r.claims.folder(key, &volume.Binding{})
	if info, err := os.Lstat(own); used == "" && err == nil && info.IsDir() {
		used = own
	}
	if used == own {
		return catalogue.BindOwn(claim), nil
	}
	return catalogue.BindAgain(claim, used)
}

// folderOf is the folder that the pods that run have of a claim, "" if none does.
func (r *Runtime) folderOf(namespace, name string) string {
	for _, p := range r.pods {
		if p.rec.Object.Namespace != namespace {
			continue
		}
		for i := range p.rec.Object.Spec.Volumes {
			v := &p.rec.Object.Spec.Volumes[i]
			if c := v.PersistentVolumeClaim; c != nil && c.ClaimName == name && p.rec.Volumes.Folders[v.Name] != "" {
				return p.rec.Volumes.Folders[v.Name]
			}
		}
	}
	return ""
}

// reclaim gives up what is bound to claims that are gone, if their class says so and no pod uses it any more. A claim
// whose manifest cannot be read, or is bad, is not gone.
func (r *Runtime) reclaim() (changed bool) {
	if !r.scanned {
		return false
	}
	for key, b := range r.claims.bound {
		namespace, name, _ := strings.Cut(key, "/")
		if b.Delete && r.objects.Get(kindClaim, namespace, name) == nil && !r.folderNow.Hides(kindClaim, namespace, name) && r.userOf(namespace, name) == "" {
			r.dropClaim(key, b)
			changed = true
		}
	}
	return changed
}

// freeClaims looks again at what waited for the end of a pod: a claim to go with it, a pod to have its claim alone.
func (r *Runtime) freeClaims(p *pod) {
	if len(p.rec.Volumes.Folders) == 0 {
		return
	}
	r.bindClaims(state.Now())
	for _, other := range r.pods {
		if waitsForClaim(other) {
			r.refreshVolumes(other)
		}
	}
}

// dropClaim forgets a claim's binding and removes its folder, if that is podd's.
func (r *Runtime) dropClaim(key string, b *volume.Binding) {
	delete(r.claims.bound, key)
	if b.Folder != "" {
		return
	}
	dir := r.claims.folder(key, b)
	r.disk.Do(func() {
		if err := volume.RemoveFolder(dir); err != nil {
			r.Log.Error("cannot remove the folder of a claim", "claim", key, "error", err)
		}
	})
}

// userOf names a pod that uses a claim, "" if none does.
func (r *Runtime) userOf(namespace, name string, except ...types.UID) string {
	for uid, p := range r.pods {
		if p.rec.Object.Namespace != namespace || p.rec.State == state.PodFinished || p.rec.State == state.PodGone || len(p.rec.Volumes.Folders) == 0 || slices.Contains(except, uid) {
			continue
		}
		for i := range p.rec.Object.Spec.Volumes {
			if c := p.rec.Object.Spec.Volumes[i].PersistentVolumeClaim; c != nil && c.ClaimName == name {
				return p.rec.Object.Name
			}
		}
	}
	return ""
}

// claim says what a pod that names a claim gets.
func (r *Runtime) claim(rec *state.Record, name string) executor.ClaimFolder {
	namespace := rec.Object.Namespace
	key := namespace + "/" + name
	o := r.objects.Get(kindClaim, namespace, name)
	if o == nil {
		return executor.ClaimFolder{Err: fmt.Errorf("persistentvolumeclaim %q %w", name, volume.ErrNotFound)}
	}
	claim, b := o.Value.(*corev1.PersistentVolumeClaim), r.claims.bound[key]
	if !r.claims.isBound(key) {
		return executor.ClaimFolder{Err: fmt.Errorf("persistentvolumeclaim %q is not bound: %s", name, r.claims.pending[key].Message)}
	}
	if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
		if user := r.userOf(namespace, name, rec.UID); user != "" {
			return executor.ClaimFolder{Err: fmt.Errorf("pod %q uses persistentvolumeclaim %q, whose access mode is ReadWriteOncePod", user, name)}
		}
	}
	a := executor.ClaimFolder{Folder: r.claims.folder(key, b), Size: storageRequest(o)}
	if b.Folder == "" {
		a.Dir = r.claims.dir
	}
	return a
}

func storageRequest(o *manifest.Object) int64 {
	size := o.Value.(*corev1.PersistentVolumeClaim).Spec.Resources.Requests[corev1.ResourceStorage]
	return size.Value()
}

// showClaim publishes a claim with its status.
func (r *Runtime) showClaim(claim *corev1.PersistentVolumeClaim, b *volume.Binding) {
	out := objects.ShallowCopy(claim)
	out.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
	if b != nil && !b.Lost {
		out.Spec.VolumeName = b.Volume
		if out.Spec.StorageClassName == nil {
			out.Spec.StorageClassName = &b.Class
		}
		out.Status.Phase, out.Status.AccessModes = corev1.ClaimBound, claim.Spec.AccessModes
		out.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: r.capacityOf(b, claim)}
	}
	r.store.SetObject(kindClaim, out)
}

func (r *Runtime) capacityOf(b *volume.Binding, claim *corev1.PersistentVolumeClaim) resource.Quantity {
	if o := r.objects.Get(kindVolume, "", b.Volume); o != nil {
		return o.Value.(*corev1.PersistentVolume).Spec.Capacity[corev1.ResourceStorage]
	}
	return claim.Spec.Resources.Requests[corev1.ResourceStorage]
}

// showVolumes publishes the volumes of the manifests with their status.
func (r *Runtime) showVolumes(list []*corev1.PersistentVolume) {
	owners := map[string]string{}
	for key, b := range r.claims.bound {
		owners[b.Volume] = key
	}
	for _, v := range list {
		out := objects.ShallowCopy(v)
		out.Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable}
		if namespace, name, ok := strings.Cut(owners[v.Name], "/"); ok {
			out.Status.Phase = corev1.VolumeReleased
			out.Spec.ClaimRef = &corev1.ObjectReference{Kind: kindClaim, APIVersion: "v1", Namespace: namespace, Name: name}
			if r.objects.Get(kindClaim, namespace, name) != nil {
				out.Status.Phase = corev1.VolumeBound
			}
		}
		r.store.SetObject(kindVolume, out)
	}
}

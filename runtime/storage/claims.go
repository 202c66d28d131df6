// Package storage is what the loop knows of the pods' storage: what claims are bound to, as the API shows it, and how much the
// emptyDirs of a pod take where only podd holds their limits.
package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/atomicfile"
	"podd/runtime/executor"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/state"
	"podd/runtime/volume"
	"podd/runtime/volume/nfs"
)

// The kinds of objects that storage is described with.
const (
	KindClaim  = "PersistentVolumeClaim"
	KindVolume = "PersistentVolume"
	kindClass  = "StorageClass"
)

// Claims remembers what each claim is bound to, over reboots: what a pod has stored must be there again, whatever else the
// manifests offer by then. It belongs to the loop.
type Claims struct {
	Objects *objects.Desired // what the manifests say
	Store   *objects.Store   // where claims and volumes are shown with their status
	Disk    *state.Disk
	// RecordEvent is told why a claim is not bound.
	RecordEvent func(now time.Time, ref corev1.ObjectReference, typ, reason, message string)
	Log         *slog.Logger

	path    string // of the file
	dir     string // holds the folders of claims
	bound   map[string]*Binding
	pending map[string]Pending
	// lost: what was bound is not known; it is found out when the manifests are.
	lost bool
}

// New makes Claims of c's exported fields, which keeps its file and the folders of claims below root.
func New(root string, c *Claims) *Claims {
	c.path, c.dir = filepath.Join(root, "claims.json"), filepath.Join(root, "volumes")
	c.bound, c.pending = map[string]*Binding{}, map[string]Pending{}
	return c
}

// View is what the loop knows that claims depend on.
type View struct {
	Pods iter.Seq[*state.Record]
	// Manifests are those of the last scan, nil before the first: a claim that is missing may then still come.
	Manifests *manifest.Set
	Now       state.Instant
}

// Read reads what claims were bound to. After an error nothing is known of that.
func (c *Claims) Read() error {
	c.bound, c.pending = map[string]*Binding{}, map[string]Pending{}
	err := atomicfile.LoadJSON(c.path, &c.bound, func() error {
		for key, b := range c.bound {
			if namespace, name, ok := strings.Cut(key, "/"); !ok || namespace == "" || name == "" || strings.ContainsAny(key, "_") || strings.Count(key, "/") > 1 {
				return fmt.Errorf("%q is no claim", key)
			}
			if b == nil || b.Volume == "" && !b.Lost || b.Share != nil && (b.Share.Server == "" || b.Share.Path == "") || b.Folder != "" && !filepath.IsAbs(b.Folder) {
				return fmt.Errorf("nothing says what claim %s is bound to", key)
			}
		}
		return nil
	})
	if err != nil {
		c.bound, c.lost = map[string]*Binding{}, !errors.Is(err, fs.ErrNotExist)
	}
	return err
}

// Bind binds the claims that the manifests have now, and shows what came of it. What is bound to claims that are gone is given
// up if their class says so.
func (c *Claims) Bind(v View) {
	catalogue := Catalogue{Taken: map[string]string{}}
	for _, o := range c.Objects.List(KindVolume) {
		catalogue.Volumes = append(catalogue.Volumes, o.Value.(*corev1.PersistentVolume))
	}
	for _, o := range c.Objects.List(kindClass) {
		catalogue.Classes = append(catalogue.Classes, o.Value.(*storagev1.StorageClass))
	}
	for key, b := range c.bound {
		if !b.Lost {
			catalogue.Taken[b.Volume] = key
		}
	}
	changed := c.reclaim(v)
	for _, o := range c.Objects.List(KindClaim) {
		claim := o.Value.(*corev1.PersistentVolumeClaim)
		key := claim.Namespace + "/" + claim.Name
		if !c.isBound(key) {
			lost := c.lost || c.bound[key] != nil
			if b, why := c.bind(v, &catalogue, claim, lost); b != nil {
				c.bound[key], catalogue.Taken[b.Volume], changed = b, key, true
				delete(c.pending, key)
			} else if c.pending[key] != *why {
				c.pending[key] = *why
				c.RecordEvent(v.Now.Wall, objects.KeyOf(o).Reference(), corev1.EventTypeNormal, why.Reason, why.Message)
			}
		}
		if c.lost && !c.isBound(key) {
			c.bound[key], changed = &Binding{Lost: true}, true
		}
		c.showClaim(claim, c.bound[key])
	}
	if v.Manifests != nil && !v.Manifests.Hides(KindClaim, "", "") {
		c.lost = false // all that were bound are bound again, or marked
	}
	if changed {
		c.persist()
	}
	c.showVolumes(catalogue.Volumes)
}

func (c *Claims) persist() { c.Disk.Persist(c.path, c.bound, "what claims are bound to") }

// bind binds one claim. Of a claim of which was lost what it was bound to, only what cannot be anything else is taken: what
// the claim or a volume names, the folder that the pods that run use, or the folder of its own that is there.
func (c *Claims) bind(v View, catalogue *Catalogue, claim *corev1.PersistentVolumeClaim, lost bool) (*Binding, *Pending) {
	if !lost {
		return catalogue.Bind(claim)
	}
	used := v.folderOf(claim.Namespace, claim.Name)
	own := c.folder(claim.Namespace+"/"+claim.Name, &Binding{})
	if info, err := os.Lstat(own); used == "" && err == nil && info.IsDir() {
		used = own
	}
	if used == own {
		return catalogue.BindOwn(claim), nil
	}
	return catalogue.BindAgain(claim, used)
}

// reclaim gives up what is bound to claims that are gone, if their class says so and no pod uses it any more. A claim
// whose manifest cannot be read, or is bad, is not gone.
func (c *Claims) reclaim(v View) (changed bool) {
	if v.Manifests == nil {
		return false
	}
	for key, b := range c.bound {
		namespace, name, _ := strings.Cut(key, "/")
		if b.Delete && c.Objects.Get(KindClaim, namespace, name) == nil && !v.Manifests.Hides(KindClaim, namespace, name) && v.userOf(namespace, name) == "" {
			c.drop(key, b)
			changed = true
		}
	}
	return changed
}

// drop forgets a claim's binding and removes its folder, if that is podd's.
func (c *Claims) drop(key string, b *Binding) {
	delete(c.bound, key)
	if b.Place() != "" {
		return
	}
	dir := c.folder(key, b)
	c.Disk.Do(func() {
		if err := volume.RemoveFolder(dir); err != nil {
			c.Log.Error("cannot remove the folder of a claim", "claim", key, "error", err)
		}
	})
}

// isBound is false of a claim of which was lost what it was bound to.
func (c *Claims) isBound(key string) bool { return c.bound[key] != nil && !c.bound[key].Lost }

// folder is where a claim's data is. A namespace has no underscore, so that no two claims have one folder.
func (c *Claims) folder(key string, b *Binding) string {
	return cmp.Or(b.Folder, filepath.Join(c.dir, strings.Replace(key, "/", "_", 1)))
}

// Folder says what a pod that names a claim gets.
func (c *Claims) Folder(v View, rec *state.Record, name string) executor.ClaimFolder {
	namespace := rec.Object.Namespace
	key := namespace + "/" + name
	o := c.Objects.Get(KindClaim, namespace, name)
	if o == nil {
		return executor.ClaimFolder{Err: fmt.Errorf("persistentvolumeclaim %q %w", name, volume.ErrNotFound)}
	}
	claim, b := o.Value.(*corev1.PersistentVolumeClaim), c.bound[key]
	if !c.isBound(key) {
		return executor.ClaimFolder{Err: fmt.Errorf("persistentvolumeclaim %q is not bound: %s", name, c.pending[key].Message)}
	}
	if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
		if user := v.userOf(namespace, name, rec.UID); user != "" {
			return executor.ClaimFolder{Err: fmt.Errorf("pod %q uses persistentvolumeclaim %q, whose access mode is ReadWriteOncePod", user, name)}
		}
	}
	a := executor.ClaimFolder{Folder: c.folder(key, b), Size: storageRequest(o), Share: c.share(b)}
	if b.Place() == "" {
		a.Dir = c.dir
	}
	return a
}

// share is what a claim is bound to of an NFS server, nil if it is not. The options are those of now.
func (c *Claims) share(b *Binding) *nfs.Share {
	if b.Share != nil {
		if o := c.Objects.Get(KindVolume, "", b.Volume); o != nil {
			return b.Update(o.Value.(*corev1.PersistentVolume))
		}
	}
	return b.Share
}

// NFSVolume names a volume of a pod whose claim is bound to an NFS server, "" if there is none.
func (c *Claims) NFSVolume(p *corev1.Pod) string {
	for i := range p.Spec.Volumes {
		v := &p.Spec.Volumes[i]
		if v.PersistentVolumeClaim == nil {
			continue
		}
		if b := c.bound[p.Namespace+"/"+v.PersistentVolumeClaim.ClaimName]; b != nil && b.Share != nil {
			return v.Name
		}
	}
	return ""
}

func storageRequest(o *manifest.Object) int64 {
	size := o.Value.(*corev1.PersistentVolumeClaim).Spec.Resources.Requests[corev1.ResourceStorage]
	return size.Value()
}

// WaitsForClaim says of a pod that its volumes may come with a change of any claim, volume or class.
func WaitsForClaim(rec *state.Record) bool {
	return !rec.Volumes.Ready && slices.ContainsFunc(rec.Object.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
}

// folderOf is the folder that the pods that run have of a claim, "" if none does.
func (v View) folderOf(namespace, name string) string {
	for rec := range v.Pods {
		if folder := rec.Volumes.Folders[volumeOf(rec, namespace, name)]; folder != "" {
			return folder
		}
	}
	return ""
}

// userOf names a pod that uses a claim, "" if none does.
func (v View) userOf(namespace, name string, except ...types.UID) string {
	for rec := range v.Pods {
		if rec.State == state.PodFinished || rec.State == state.PodGone || len(rec.Volumes.Folders) == 0 || slices.Contains(except, rec.UID) {
			continue
		}
		if volumeOf(rec, namespace, name) != "" {
			return rec.Object.Name
		}
	}
	return ""
}

// volumeOf names a pod's volume that is made of a claim, "" if it has none.
func volumeOf(rec *state.Record, namespace, name string) string {
	if rec.Object.Namespace != namespace {
		return ""
	}
	for i := range rec.Object.Spec.Volumes {
		v := &rec.Object.Spec.Volumes[i]
		if c := v.PersistentVolumeClaim; c != nil && c.ClaimName == name {
			return v.Name
		}
	}
	return ""
}

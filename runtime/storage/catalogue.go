package storage

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"podd/runtime/volume/nfs"
)

// Provisioner makes folders below podd's own; a StorageClass that names it is podd's.
const Provisioner = "podd.dev/folder"

// DefaultClass is that of a claim which names none, where the folder of manifests has no class marked as default.
const DefaultClass = "podd"

// Binding is what a claim is bound to.
type Binding struct {
	Volume string `json:"volume"`           // the name of the PersistentVolume
	Folder string `json:"folder,omitempty"` // on the host, of a volume that the manifests have
	// Share is what a volume of the manifests shows of an NFS server.
	Share  *nfs.Share `json:"nfs,omitempty"`
	Class  string     `json:"class,omitempty"`
	Delete bool       `json:"delete,omitempty"` // with the claim
	// Lost: it was bound to something that nobody remembers, and waits.
	Lost bool `json:"lost,omitempty"`
}

// Pending says why a claim is not bound: the reason of an event and its sentence.
type Pending struct{ Reason, Message string }

// Catalogue is what claims can be bound to.
type Catalogue struct {
	Volumes []*corev1.PersistentVolume
	Classes []*storagev1.StorageClass
	Taken   map[string]string // the claim, as NAMESPACE/NAME, that each bound volume has
}

// Bind finds what a claim is to be bound to: a volume of the manifests, the smallest that does, or a folder of its own.
// The sentences are those of Kubernetes' controller.
func (c *Catalogue) Bind(claim *corev1.PersistentVolumeClaim) (*Binding, *Pending) {
	if name := claim.Spec.VolumeName; name != "" {
		return c.bindNamed(claim, name)
	}
	class, known := c.classOf(claim)
	if fits := c.fitting(claim); len(fits) > 0 {
		return bound(slices.MinFunc(fits, smaller)), nil
	}
	switch {
	case class == "":
		return nil, &Pending{"FailedBinding", "no persistent volumes available for this claim and no storage class is set"}
	case known == nil && class != DefaultClass:
		return nil, &Pending{"ProvisioningFailed", fmt.Sprintf("storageclass.storage.k8s.io %q not found", class)}
	case known != nil && known.Provisioner != Provisioner:
		return nil, &Pending{"ExternalProvisioning", fmt.Sprintf("Waiting for a volume to be created either by the external provisioner '%s' or manually by the system administrator. "+
			"If volume creation is delayed, please verify that the provisioner is running and correctly registered.", known.Provisioner)}
	case claim.Spec.Selector != nil:
		return nil, &Pending{"ProvisioningFailed", "claim.Spec.Selector is not supported for dynamic provisioning on a board"}
	}
	return c.BindOwn(claim), nil
}

// fitting are the volumes of the manifests that do for a claim and are not another's.
func (c *Catalogue) fitting(claim *corev1.PersistentVolumeClaim) (fits []*corev1.PersistentVolume) {
	class, _ := c.classOf(claim)
	for _, v := range c.Volumes {
		if owner := c.Taken[v.Name]; (owner == "" || owner == claim.Namespace+"/"+claim.Name) && reserved(v, claim) && mismatch(v, claim, class) == "" {
			fits = append(fits, v)
		}
	}
	return fits
}

// BindOwn binds a claim to a folder of its own.
func (c *Catalogue) BindOwn(claim *corev1.PersistentVolumeClaim) *Binding {
	class, known := c.classOf(claim)
	b := &Binding{Volume: "pvc-" + string(claim.UID), Class: class}
	b.Delete = known != nil && known.ReclaimPolicy != nil && *known.ReclaimPolicy == corev1.PersistentVolumeReclaimDelete
	return b
}

// BindAgain binds a claim that was bound to something that nobody remembers. Pods that run have folder of it, "" if none
// does, and there is no folder of its own. Where several volumes are possible the claim waits: another one than before would
// show its pods other data, or none.
func (c *Catalogue) BindAgain(claim *corev1.PersistentVolumeClaim, folder string) (*Binding, *Pending) {
	if name := claim.Spec.VolumeName; name != "" {
		return c.bindNamed(claim, name)
	}
	for _, v := range c.Volumes {
		b, ref := bound(v), v.Spec.ClaimRef
		if folder != "" && b.Place() == folder || ref != nil && ref.Namespace == claim.Namespace && ref.Name == claim.Name {
			return b, nil
		}
	}
	if fits := c.fitting(claim); len(fits) < 2 && folder == "" {
		return c.Bind(claim)
	}
	return nil, &Pending{"BindingLost", fmt.Sprintf("what claim %q was bound to is lost; name the volume in its spec.volumeName, or restore claims.json", claim.Name)}
}

func (c *Catalogue) bindNamed(claim *corev1.PersistentVolumeClaim, name string) (*Binding, *Pending) {
	class, _ := c.classOf(claim)
	for _, v := range c.Volumes {
		if v.Name != name {
			continue
		}
		if owner := c.Taken[name]; owner != "" && owner != claim.Namespace+"/"+claim.Name || !reserved(v, claim) {
			return nil, &Pending{"FailedBinding", fmt.Sprintf("volume %q already bound to a different claim.", name)}
		}
		if why := mismatch(v, claim, class); why != "" {
			return nil, &Pending{"VolumeMismatch", fmt.Sprintf("Cannot bind to requested volume %q: %s", name, why)}
		}
		return bound(v), nil
	}
	return nil, &Pending{"FailedBinding", fmt.Sprintf("persistentvolume %q not found", name)}
}

// classOf is the class that a claim asks for, and what the manifests say of it.
func (c *Catalogue) classOf(claim *corev1.PersistentVolumeClaim) (string, *storagev1.StorageClass) {
	const isDefault = "storageclass.kubernetes.io/is-default-class"
	name := claim.Spec.StorageClassName
	for _, class := range c.Classes {
		if name == nil && class.Annotations[isDefault] == "true" || name != nil && class.Name == *name {
			return class.Name, class
		}
	}
	if name != nil {
		return *name, nil
	}
	return DefaultClass, nil
}

func bound(v *corev1.PersistentVolume) *Binding {
	b := &Binding{Volume: v.Name, Class: v.Spec.StorageClassName}
	switch {
	case v.Spec.HostPath != nil:
		b.Folder = v.Spec.HostPath.Path
	case v.Spec.Local != nil:
		b.Folder = v.Spec.Local.Path
	case v.Spec.NFS != nil:
		b.Share = shareOfVolume(v)
	}
	return b
}

// Place names what the manifests have for the claim: a folder of the host, or SERVER:PATH; "" where it has a folder of its own.
func (b *Binding) Place() string {
	if b.Share != nil {
		return b.Share.Source()
	}
	return b.Folder
}

// Update takes in what the manifests say now of the volume that a claim is bound to, of which only the options may change.
func (b *Binding) Update(v *corev1.PersistentVolume) *nfs.Share {
	if s := shareOfVolume(v); s != nil && b.Share != nil {
		return s
	}
	return b.Share
}

// reserved says that a volume is not kept for another claim.
func reserved(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	ref := v.Spec.ClaimRef
	return ref == nil || ref.Namespace == claim.Namespace && ref.Name == claim.Name
}

// mismatch says why a volume does not do for a claim, "" if it does.
func mismatch(v *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, class string) string {
	request, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], v.Spec.Capacity[corev1.ResourceStorage]
	switch {
	case has.Cmp(request) < 0:
		return "requested PV is too small"
	case v.Spec.StorageClassName != class && (claim.Spec.StorageClassName != nil || class != DefaultClass || v.Spec.StorageClassName != ""):
		return "storageClassName does not match"
	case slices.ContainsFunc(claim.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool { return !slices.Contains(v.Spec.AccessModes, m) }):
		return "incompatible accessMode"
	}
	selector, err := metav1.LabelSelectorAsSelector(claim.Spec.Selector)
	if claim.Spec.Selector != nil && (err != nil || !selector.Matches(labels.Set(v.Labels))) {
		return "its labels do not match the selector"
	}
	return ""
}

func smaller(a, b *corev1.PersistentVolume) int {
	x, y := a.Spec.Capacity[corev1.ResourceStorage], b.Spec.Capacity[corev1.ResourceStorage]
	return cmp.Or(x.Cmp(y), cmp.Compare(a.Name, b.Name))
}

// shareOfVolume is what a PersistentVolume shows of an NFS server, nil if it is of another type.
func shareOfVolume(v *corev1.PersistentVolume) *nfs.Share {
	s := v.Spec.NFS
	if s == nil {
		return nil
	}
	options, _ := nfs.MountOptions(v.Spec.MountOptions, v.Annotations)
	return &nfs.Share{Server: s.Server, Path: s.Path, ReadOnly: s.ReadOnly, Options: options}
}

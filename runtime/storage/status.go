package storage

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"podd/runtime/objects"
)

// showClaim publishes a claim with its status.
func (c *Claims) showClaim(claim *corev1.PersistentVolumeClaim, b *Binding) {
	out := objects.ShallowCopy(claim)
	out.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}
	if b != nil && !b.Lost {
		out.Spec.VolumeName = b.Volume
		if out.Spec.StorageClassName == nil {
			out.Spec.StorageClassName = &b.Class
		}
		out.Status.Phase, out.Status.AccessModes = corev1.ClaimBound, claim.Spec.AccessModes
		out.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: c.capacityOf(b, claim)}
	}
	c.Store.SetObject(KindClaim, out)
}

func (c *Claims) capacityOf(b *Binding, claim *corev1.PersistentVolumeClaim) resource.Quantity {
	if o := c.Objects.Get(KindVolume, "", b.Volume); o != nil {
		return o.Value.(*corev1.PersistentVolume).Spec.Capacity[corev1.ResourceStorage]
	}
	return claim.Spec.Resources.Requests[corev1.ResourceStorage]
}

// showVolumes publishes the volumes of the manifests with their status.
func (c *Claims) showVolumes(list []*corev1.PersistentVolume) {
	owners := map[string]string{}
	for key, b := range c.bound {
		owners[b.Volume] = key
	}
	for _, v := range list {
		out := objects.ShallowCopy(v)
		out.Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable}
		if namespace, name, ok := strings.Cut(owners[v.Name], "/"); ok {
			out.Status.Phase = corev1.VolumeReleased
			out.Spec.ClaimRef = &corev1.ObjectReference{Kind: KindClaim, APIVersion: "v1", Namespace: namespace, Name: name}
			if c.Objects.Get(KindClaim, namespace, name) != nil {
				out.Status.Phase = corev1.VolumeBound
			}
		}
		c.Store.SetObject(KindVolume, out)
	}
}

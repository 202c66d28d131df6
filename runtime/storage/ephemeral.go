package storage

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/runtime/objects"
	"podd/runtime/state"
)

// ShowEphemeral publishes the claims that a pod's ephemeral volumes stand for, as the controller of a cluster makes
// them. They are there to be looked at: the folders are the pod's own.
func (c *Claims) ShowEphemeral(rec *state.Record) {
	for i := range rec.Object.Spec.Volumes {
		v := &rec.Object.Spec.Volumes[i]
		if v.Ephemeral == nil || v.Ephemeral.VolumeClaimTemplate == nil {
			continue
		}
		claim := ephemeralClaim(rec, v)
		if c.Objects.Get(KindClaim, claim.Namespace, claim.Name) == nil {
			c.Store.SetObject(KindClaim, claim)
		}
	}
}

// HideEphemeral takes the claims of a pod's ephemeral volumes away.
func (c *Claims) HideEphemeral(rec *state.Record) {
	for i := range rec.Object.Spec.Volumes {
		key := objects.Key{Kind: KindClaim, Namespace: rec.Object.Namespace, Name: rec.Object.Name + "-" + rec.Object.Spec.Volumes[i].Name}
		if rec.Object.Spec.Volumes[i].Ephemeral != nil && c.Objects.Get(key.Kind, key.Namespace, key.Name) == nil {
			c.Store.RemoveObject(key)
		}
	}
}

func ephemeralClaim(rec *state.Record, v *corev1.Volume) *corev1.PersistentVolumeClaim {
	template, yes := v.Ephemeral.VolumeClaimTemplate, true
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: rec.Object.Namespace, Name: rec.Object.Name + "-" + v.Name, UID: rec.UID + types.UID("-"+v.Name),
			Labels: template.Labels, Annotations: template.Annotations, CreationTimestamp: metav1.NewTime(rec.Since),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: rec.Object.Name, UID: rec.UID, Controller: &yes, BlockOwnerDeletion: &yes}},
		},
		Spec: template.Spec,
	}
	if claim.Spec.StorageClassName == nil {
		class := DefaultClass
		claim.Spec.StorageClassName = &class
	}
	claim.Spec.VolumeName = "pvc-" + string(claim.UID)
	claim.Status = corev1.PersistentVolumeClaimStatus{
		Phase: corev1.ClaimBound, AccessModes: template.Spec.AccessModes,
		Capacity: corev1.ResourceList{corev1.ResourceStorage: *template.Spec.Resources.Requests.Storage()},
	}
	return claim
}

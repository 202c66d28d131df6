package statefulset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// ClaimName is the name of the claim that a template makes for a number.
func ClaimName(template, set string, ordinal int) string {
	return template + "-" + set + "-" + strconv.Itoa(ordinal)
}

// volumes puts the claims of a number in front of the other volumes of a pod, in place of those of the same name.
func (s *step) volumes(list []corev1.Volume, n int) []corev1.Volume {
	templates := s.s.Spec.VolumeClaimTemplates
	if len(templates) == 0 {
		return list
	}
	var out []corev1.Volume
	for i := range templates {
		out = append(out, corev1.Volume{
			Name: templates[i].Name,
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
					ClaimName: ClaimName(templates[i].Name, s.s.Name, n),
				},
			},
		})
	}
	for i := range list {
		if !slices.ContainsFunc(templates, func(t corev1.PersistentVolumeClaim) bool { return t.Name == list[i].Name }) {
			out = append(out, list[i])
		}
	}
	return out
}

// claimOf is the claim of that name; nil: there is none.
func (s *step) claimOf(name string) *corev1.PersistentVolumeClaim {
	for _, w := range s.res.Write {
		if c, ok := w.(*corev1.PersistentVolumeClaim); ok && c.Name == name {
			return c
		}
	}
	for _, c := range s.in.Claims {
		if c.Name == name && c.Namespace == s.s.Namespace {
			return c
		}
	}
	return nil
}

// ensureClaims makes the claims of a pod that are missing. It fails while an old one of the name is being removed.
func (s *step) ensureClaims(p *corev1.Pod) bool {
	ok := true
	for i := range s.s.Spec.VolumeClaimTemplates {
		t := &s.s.Spec.VolumeClaimTemplates[i]
		name := ClaimName(t.Name, s.s.Name, ordinal(p))
		switch c := s.claimOf(name); {
		case c == nil:
			s.write(s.newClaim(t, name))
			s.res.Normal("SuccessfulCreate", fmt.Sprintf("Create Claim %s Pod %s in StatefulSet %s success", name, p.Name, s.s.Name))
		case c.DeletionTimestamp != nil:
			s.failed("Create", p, fmt.Sprintf("pvc %s is being deleted", name))
			ok = false
		}
	}
	if ok {
		s.own(p)
	}
	return ok
}

func (s *step) newClaim(t *corev1.PersistentVolumeClaim, name string) *corev1.PersistentVolumeClaim {
	c := t.DeepCopy()
	c.Name, c.Namespace = name, s.s.Namespace
	if s.s.Spec.Selector != nil {
		c.Labels = maps.Clone(c.Labels)
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		maps.Copy(c.Labels, s.s.Spec.Selector.MatchLabels)
	}
	c.UID, c.CreationTimestamp = s.namer.Fixed(name), s.in.Time()
	return c
}

// policy is what becomes of claims. Nobody says: they stay.
func (s *step) policy() (deleteScaled, deleteAll bool) {
	p := s.s.Spec.PersistentVolumeClaimRetentionPolicy
	if p == nil {
		return false, false
	}
	return p.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
		p.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
}

// owners are whether the claims of a pod are to go with the set, and with the pod.
func (s *step) owners(p *corev1.Pod) (set, pod bool) {
	scaled, all := s.policy()
	gone := !s.has(ordinal(p))
	return all && (!scaled || !gone), scaled && gone
}

func names(ref *metav1.OwnerReference, o metav1.Object, kind schema.GroupVersionKind) bool {
	return ref.APIVersion == kind.GroupVersion().String() && ref.Kind == kind.Kind && ref.Name == o.GetName()
}

// stale says whether a claim is owned by an earlier object of the same kind and name.
func stale(c *corev1.PersistentVolumeClaim, o metav1.Object, kind schema.GroupVersionKind) bool {
	return slices.ContainsFunc(c.OwnerReferences, func(ref metav1.OwnerReference) bool {
		return names(&ref, o, kind) && ref.UID != o.GetUID()
	})
}

// isStale says whether a claim of a pod that is to be made goes with an earlier pod of its name: then it has to be gone
// first.
func (s *step) isStale(p *corev1.Pod) bool {
	if scaled, _ := s.policy(); !scaled {
		return false
	}
	return slices.ContainsFunc(s.s.Spec.VolumeClaimTemplates, func(t corev1.PersistentVolumeClaim) bool {
		c := s.claimOf(ClaimName(t.Name, s.s.Name, ordinal(p)))
		return c != nil && stale(c, p, podKind)
	})
}

// own makes set and pod the owners of the pod's claims, as the policy says, and says whether they were not.
func (s *step) own(p *corev1.Pod) (changed bool) {
	for i := range s.s.Spec.VolumeClaimTemplates {
		name := ClaimName(s.s.Spec.VolumeClaimTemplates[i].Name, s.s.Name, ordinal(p))
		c := s.claimOf(name)
		if c == nil {
			continue
		}
		if stale(c, s.s, kind) || stale(c, p, podKind) {
			// It is somebody else's affair.
			continue
		}
		refs, conflict := s.refs(c, p)
		if conflict {
			s.res.Warning("ConflictingController", fmt.Sprintf(
				"PersistentVolumeClaim %s has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim", name))
		}
		if sameOwners(refs, c.OwnerReferences) {
			continue
		}
		next := *c
		next.OwnerReferences = refs
		s.write(&next)
		changed = true
	}
	return changed
}

// refs are the owners that a claim is to have. If somebody else is its controller the policy has no say.
func (s *step) refs(c *corev1.PersistentVolumeClaim, p *corev1.Pod) (refs []metav1.OwnerReference, conflict bool) {
	scaled, all := s.policy()
	for i := range c.OwnerReferences {
		ref := c.OwnerReferences[i]
		if names(&ref, s.s, kind) || names(&ref, p, podKind) {
			continue
		}
		refs = append(refs, ref)
		if (scaled || all) && ref.Controller != nil && *ref.Controller {
			conflict = true
		}
	}
	if conflict {
		return refs, true
	}
	set, pod := s.owners(p)
	if pod {
		refs = append(refs, *metav1.NewControllerRef(p, podKind))
	}
	if set {
		refs = append(refs, *metav1.NewControllerRef(s.s, kind))
	}
	return refs, false
}

// sameOwners compares owners and which of them control.
func sameOwners(a, b []metav1.OwnerReference) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x metav1.OwnerReference) bool {
		return !slices.ContainsFunc(b, func(y metav1.OwnerReference) bool {
			return x.UID == y.UID && (x.Controller != nil && *x.Controller) == (y.Controller != nil && *y.Controller)
		})
	})
}

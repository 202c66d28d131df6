package workload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/objectmeta"
)

// IsControlledBy says whether owner is the controller of o.
func IsControlledBy(o metav1.Object, owner types.UID) bool {
	ref := metav1.GetControllerOfNoCopy(o)
	return ref != nil && ref.UID == owner
}

// Verdict is what becomes of an object that may be a child.
type Verdict int

// What becomes of an object.
const (
	Ignore  Verdict = iota // it is somebody else's, or nobody's
	Keep                   // it is a child
	Adopt                  // it becomes a child
	Release                // it was a child and is nobody's from now on
)

// Judge says what becomes of an object in the same namespace: a controller keeps what it owns and selects, releases what
// it does not select any more, and adopts what it selects and nobody owns. One that is being removed changes no owner.
func Judge(owner, o metav1.Object, selects bool) Verdict {
	ref := metav1.GetControllerOfNoCopy(o)
	ending := objectmeta.Of(owner).DeletionTimestamp != nil
	switch {
	case o.GetNamespace() != owner.GetNamespace():
		return Ignore
	case ref != nil && ref.UID != owner.GetUID():
		return Ignore
	case ref != nil && selects:
		return Keep
	case ref != nil && !ending:
		return Release
	case ref != nil:
		return Ignore
	case !selects || ending || objectmeta.Of(o).DeletionTimestamp != nil:
		return Ignore
	}
	return Adopt
}

// Own is what Judge says, carried out: the owners that an object has after it, and whether they have changed.
func Own(refs []metav1.OwnerReference, v Verdict, ref metav1.OwnerReference) ([]metav1.OwnerReference, bool) {
	switch v {
	case Adopt:
		out := make([]metav1.OwnerReference, 0, len(refs)+1)
		for _, r := range refs {
			if r.UID != ref.UID {
				out = append(out, r)
			}
		}
		return append(out, ref), true
	case Release:
		var out []metav1.OwnerReference
		for _, r := range refs {
			if r.UID != ref.UID {
				out = append(out, r)
			}
		}
		return out, true
	}
	return refs, false
}

// ClaimPods divides the pods of the input: those that are the owner's, adopted ones included, and what changes for it.
// also, if not nil, is asked of pods that the selector matches.
func ClaimPods(owner metav1.Object, ref metav1.OwnerReference, selector labels.Selector, pods []*corev1.Pod, also func(*corev1.Pod) bool) (owned, changed []*corev1.Pod) {
	for _, p := range pods {
		selects := selector.Matches(labels.Set(p.Labels)) && (also == nil || also(p))
		v := Judge(owner, p, selects)
		if v == Ignore {
			continue
		}
		refs, changes := Own(p.OwnerReferences, v, ref)
		if changes {
			q := *p
			q.OwnerReferences = refs
			p = &q
			changed = append(changed, p)
		}
		if v != Release {
			owned = append(owned, p)
		}
	}
	return owned, changed
}

// Selector compiles a selector of an object. One that does not compile, or that is empty, selects nothing.
func Selector(s *metav1.LabelSelector) labels.Selector {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return labels.Nothing()
	}
	compiled, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return compiled
}

package workload

import (
	"cmp"
	"encoding/json"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// revisionHashLabel is the label of a ControllerRevision with the hash of its content.
const revisionHashLabel = "controller.kubernetes.io/hash"

// NewRevision keeps a template as StatefulSets and DaemonSets do: as the patch that puts it back. It has no UID yet.
func NewRevision(owner metav1.Object, kind schema.GroupVersionKind, template *corev1.PodTemplateSpec, number int64, collisions *int32, in *Input) *appsv1.ControllerRevision {
	data := TemplatePatch(template)
	hash := RevisionHash(data, collisions)
	labels := maps.Clone(template.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[revisionHashLabel] = hash
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: RevisionName(owner.GetName(), hash), Namespace: owner.GetNamespace(), Labels: labels,
			Annotations:       maps.Clone(owner.GetAnnotations()),
			OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)},
			CreationTimestamp: in.Time(),
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: number,
	}
}

// RevisionName is the name of a ControllerRevision, which is at most 253 bytes long with room for a hash.
func RevisionName(owner, hash string) string {
	return owner[:min(len(owner), 223)] + "-" + hash
}

// TemplatePatch is the patch by which a template replaces another. The hash is of its text: keys in order, no spaces.
func TemplatePatch(template *corev1.PodTemplateSpec) []byte {
	// What was read as a manifest can be written as one.
	data, _ := json.Marshal(template)
	var t map[string]any
	_ = json.Unmarshal(data, &t)
	t["$patch"] = "replace"
	data, _ = json.Marshal(map[string]any{"spec": map[string]any{"template": t}})
	return data
}

// RevisionTemplate is the template that a revision keeps; false: it cannot be read.
func RevisionTemplate(r *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, bool) {
	var patch struct {
		Spec struct {
			Template *corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(r.Data.Raw, &patch); err != nil || patch.Spec.Template == nil {
		return nil, false
	}
	return patch.Spec.Template, true
}

// KeepsTemplate says whether a revision keeps this template, in whatever text.
func KeepsTemplate(r *appsv1.ControllerRevision, template *corev1.PodTemplateSpec) bool {
	kept, ok := RevisionTemplate(r)
	return ok && equality.Semantic.DeepEqual(kept, template)
}

// ByRevision compares the places of two revisions in a history.
func ByRevision(a, b *appsv1.ControllerRevision) int {
	return cmp.Or(cmp.Compare(a.Revision, b.Revision), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

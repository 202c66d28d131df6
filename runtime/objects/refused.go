package objects

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/internal/objectmeta"
	"podd/runtime/api/hub"
	"podd/runtime/manifest"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
)

// OfPod says whether a problem is shown among the pods: it is about one, or nobody knows about what.
func OfPod(p *manifest.Problem) bool { return p.Kind == "" || p.Kind == "Pod" }

// ProblemPod is the pod that a problem is shown with: the one that it is about or, where the manifest has no name, one that
// is named after the file.
func ProblemPod(p *manifest.Problem) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(p.Namespace, "default"), Name: refusedName(p)}
}

// ProblemReference refers to the object that a problem is about, or to the pod that stands for the refused manifest.
func ProblemReference(p *manifest.Problem) corev1.ObjectReference {
	if p.Reason == manifest.ReasonEmpty {
		return Key{Kind: "File", Name: filepath.Base(p.File)}.Reference()
	}
	if kinds.MakesPods(p.Kind) {
		ref := ProblemKey(p).Reference()
		ref.APIVersion = kinds.VersionOf(p.Kind)
		return ref
	}
	if !OfPod(p) {
		return Key{p.Kind, p.Namespace, p.Name}.Reference()
	}
	return corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: cmp.Or(p.Namespace, "default"), Name: refusedName(p), UID: refusedUID(p),
	}
}

// refusedPod shows a refused manifest as a pod that waits. What would make pods stands for them: it is their owner, and they
// are not on the board.
func refusedPod(p *manifest.Problem, now time.Time, node string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = cmp.Or(p.Namespace, "default"), refusedName(p)
	pod.UID = refusedUID(p)
	if kinds.MakesPods(p.Kind) {
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: kinds.VersionOf(p.Kind), Kind: p.Kind, Name: pod.Name, UID: pod.UID, Controller: new(true), BlockOwnerDeletion: new(true),
		}}
		node = ""
	}
	annotation.SetSource(&pod.ObjectMeta, p.File)
	pod.CreationTimestamp = metav1.NewTime(now)
	pod.Spec.NodeName = node
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, Reason: p.Reason, Message: p.Message}
	return pod
}

// ProblemKey is the object that a problem is shown on.
func ProblemKey(p *manifest.Problem) Key {
	name := ProblemPod(p)
	return Key{p.Kind, name.Namespace, name.Name}
}

// refusedObject stands for a document that was refused and of which there is no good version.
func refusedObject(p *manifest.Problem, now time.Time) hub.Object {
	o := kinds.Of(p.Kind).Blank()
	key := ProblemKey(p)
	*objectmeta.Of(o) = metav1.ObjectMeta{
		Namespace: key.Namespace, Name: key.Name, UID: refusedUID(p), CreationTimestamp: metav1.NewTime(now),
		Generation:  1, // which nobody has observed: who waits for a rollout goes on waiting
		Annotations: map[string]string{annotation.ManifestKey: p.File},
	}
	annotation.SetProblem(o, p.Reason, p.Message, metav1.NewTime(now))
	return o
}

// refusedName is the name to show a refused manifest under: the pod's own or, where it has none, the file's.
func refusedName(p *manifest.Problem) string {
	if p.Name != "" {
		return p.Name
	}
	base := strings.ToLower(filepath.Base(p.File))
	return strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".")
}

// refusedUID names a refused manifest among objects: by its place and by what is wrong with it.
func refusedUID(p *manifest.Problem) types.UID {
	return types.UID("refused:" + p.File + ":" + strconv.Itoa(p.Doc) + ":" + p.Reason)
}

package annotation

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ConfigSourceKey says where a pod is from. It is a kubelet's (pkg/kubelet/types, ConfigSourceAnnotationKey), whose
	// static pods have the value "file".
	ConfigSourceKey = "kubernetes.io/config.source"
	// ManifestKey names the file that a pod is from.
	ManifestKey = "podd.dev/manifest"
	// HandlerKey names the runtime handler that a pod of a RuntimeClass is run by.
	HandlerKey = "podd.dev/runtime-handler"
	// UsersKey says, of a pod that leaves it to the node, whose users and groups it has, and why not its own.
	UsersKey = "podd.dev/user-namespace"

	// OverridesKey names, on an object as it is shown, the fields in which it is not as its file says: somebody has set
	// them by hand, with a comma between their paths.
	OverridesKey = "podd.dev/overrides"
	// SealedSumKey has, on a sealed Secret as it is shown, the sum of what the manifest has for its data.
	SealedSumKey = "podd.dev/sealed-sum"

	configSourceFile = "file"
)

// SetSource adds to an object that is shown which file it is from. A pod that a controller has made has the file of its
// workload and, as in a cluster, no source. The map of before is left as it is: others have it, too.
func SetSource(m *metav1.ObjectMeta, file string) {
	if file == "" {
		return
	}
	all := maps.Clone(m.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	all[ManifestKey] = file
	if metav1.GetControllerOfNoCopy(m) == nil {
		all[ConfigSourceKey] = configSourceFile
	}
	m.Annotations = all
}

// SetHandler adds to a pod that is shown what it is run by.
func SetHandler(m *metav1.ObjectMeta, handler string) { set(m, HandlerKey, handler) }

// SetUsers adds to a pod that is shown whose users and groups it was given.
func SetUsers(m *metav1.ObjectMeta, users string) { set(m, UsersKey, users) }

func set(m *metav1.ObjectMeta, key, value string) {
	all := maps.Clone(m.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	m.Annotations = all
}

// DropSource takes away what SetSource, SetHandler and SetUsers add: a manifest that was made of a pod that is shown has it, and it
// says nothing about the pod that is wanted.
func DropSource(m *metav1.ObjectMeta) {
	if _, ok := m.Annotations[ManifestKey]; !ok && m.Annotations[ConfigSourceKey]+m.Annotations[HandlerKey]+m.Annotations[UsersKey] == "" {
		return
	}
	m.Annotations = maps.Clone(m.Annotations)
	delete(m.Annotations, ManifestKey)
	delete(m.Annotations, HandlerKey)
	delete(m.Annotations, UsersKey)
	delete(m.Annotations, ConfigSourceKey)
	if len(m.Annotations) == 0 {
		m.Annotations = nil
	}
}

package kinds

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	kjson "sigs.k8s.io/json"
)

// Stored is an object that podd keeps and shows and does not act on: of a kind that only a cluster acts on, or of one that
// nobody but its own operator knows.
type Stored struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Content map[string]json.RawMessage // everything else, by its key
}

// DeepCopyObject is part of runtime.Object.
func (s *Stored) DeepCopyObject() runtime.Object {
	out := &Stored{TypeMeta: s.TypeMeta, Content: maps.Clone(s.Content)}
	s.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return out
}

// MarshalJSON writes the object as it was read, with the metadata that it has now.
func (s *Stored) MarshalJSON() ([]byte, error) {
	all := map[string]any{"apiVersion": s.APIVersion, "kind": s.Kind, "metadata": s.ObjectMeta}
	for key, value := range s.Content {
		all[key] = value
	}
	return json.Marshal(all)
}

// StoredHead is what is looked at of an object of any kind.
type StoredHead struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
}

// UnmarshalJSON reads an object of any kind.
func (s *Stored) UnmarshalJSON(data []byte) error {
	var head StoredHead
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &head); err != nil {
		return err
	}
	*s = Stored{TypeMeta: head.TypeMeta, ObjectMeta: head.Metadata}
	if err := json.Unmarshal(data, &s.Content); err != nil {
		return err
	}
	for _, key := range []string{"apiVersion", "kind", "metadata"} {
		delete(s.Content, key)
	}
	return nil
}

// storedKind is a kind of Kubernetes that podd stores.
type storedKind struct {
	group, kind string
	Cluster     bool // it has no namespace
}

// storedKinds are those of Kubernetes itself. Those of other groups are known by the dot in the group's name, as a
// CustomResourceDefinition must have it.
var storedKinds = [...]storedKind{
	{"", "LimitRange", false},
	{"", "Node", true},
	{"", "ResourceQuota", false},
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicy", true},
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", true},
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", true},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", true},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", true},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", true},
	{"apiextensions.k8s.io", "CustomResourceDefinition", true},
	{"apiregistration.k8s.io", "APIService", true},
	{"autoscaling", "HorizontalPodAutoscaler", false},
	{"certificates.k8s.io", "CertificateSigningRequest", true},
	{"certificates.k8s.io", "ClusterTrustBundle", true},
	{"coordination.k8s.io", "Lease", false},
	{"flowcontrol.apiserver.k8s.io", "FlowSchema", true},
	{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", true},
	{"networking.k8s.io", "IPAddress", true},
	{"networking.k8s.io", "Ingress", false},
	{"networking.k8s.io", "IngressClass", true},
	{"networking.k8s.io", "ServiceCIDR", true},
	{"rbac.authorization.k8s.io", "ClusterRole", true},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding", true},
	{"rbac.authorization.k8s.io", "Role", false},
	{"rbac.authorization.k8s.io", "RoleBinding", false},
	{"resource.k8s.io", "DeviceClass", true},
	{"resource.k8s.io", "ResourceClaim", false},
	{"resource.k8s.io", "ResourceClaimTemplate", false},
	{"resource.k8s.io", "ResourceSlice", true},
	{"scheduling.k8s.io", "PriorityClass", true},
	{"storage.k8s.io", "CSIDriver", true},
	{"storage.k8s.io", "CSINode", true},
	{"storage.k8s.io", "CSIStorageCapacity", false},
	{"storage.k8s.io", "VolumeAttachment", true},
	{"storage.k8s.io", "VolumeAttributesClass", true},
}

// StoredKindOf finds a kind of Kubernetes that podd stores, or nil.
func StoredKindOf(group, kind string) *storedKind {
	for i := range storedKinds {
		if k := &storedKinds[i]; k.group == group && k.kind == kind {
			return k
		}
	}
	return nil
}

// StoredResource is a kind that podd stores as the API names it.
type StoredResource struct {
	Group, Version, Kind string // Version: the one to show where the folder has none
	Plural               string
	Short                []string
	Cluster              bool // it has no namespace
}

// StoredResources are the kinds of Kubernetes that podd stores, but for Node: that name is the board's.
func StoredResources() []StoredResource {
	list := make([]StoredResource, 0, len(storedKinds))
	for i := range storedKinds {
		k := &storedKinds[i]
		if k.kind == "Node" {
			continue
		}
		r := StoredResource{Group: k.group, Version: "v1", Kind: k.kind, Plural: PluralOf(k.kind), Cluster: k.Cluster}
		switch k.kind {
		case "HorizontalPodAutoscaler":
			r.Version, r.Short = "v2", []string{"hpa"}
		case "ClusterTrustBundle":
			r.Version = "v1beta1"
		case "Ingress":
			r.Short = []string{"ing"}
		case "LimitRange":
			r.Short = []string{"limits"}
		case "ResourceQuota":
			r.Short = []string{"quota"}
		case "PriorityClass":
			r.Short = []string{"pc"}
		case "CustomResourceDefinition":
			r.Short = []string{"crd", "crds"}
		case "CertificateSigningRequest":
			r.Short = []string{"csr"}
		case "IPAddress":
			r.Short = []string{"ip"}
		case "VolumeAttributesClass":
			r.Short = []string{"vac"}
		}
		list = append(list, r)
	}
	return list
}

// PluralOf is the name of a kind's resource where nobody says another one (apimachinery, meta.UnsafeGuessKindToResource).
func PluralOf(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(name, "endpoints"):
		return name
	case strings.HasSuffix(name, "s"):
		return name + "es"
	case strings.HasSuffix(name, "y"):
		return strings.TrimSuffix(name, "y") + "ies"
	}
	return name + "s"
}

// isOwnGroup says whether a group is one of Kubernetes' own, whose kinds podd knows by name.
func isOwnGroup(group string) bool {
	switch group {
	case "", "apps", "batch", "policy", "autoscaling", "extensions", "discovery.k8s.io", "events.k8s.io", "node.k8s.io", "authentication.k8s.io", "authorization.k8s.io":
		return true
	}
	return slices.ContainsFunc(storedKinds[:], func(k storedKind) bool { return k.group == group })
}

// IsStored says whether a document is of a kind that podd stores, and does not act on.
func IsStored(h *Header) bool {
	group, _ := GroupOf(h.APIVersion)
	return h.Kind != "" && (StoredKindOf(group, h.Kind) != nil || !isOwnGroup(group) && strings.Contains(group, ".") && isKindName(h.Kind))
}

// GroupOf divides an apiVersion.
func GroupOf(apiVersion string) (group, version string) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return "", apiVersion
	}
	return group, version
}

// isKindName says whether a kind is spelled as one: it begins with a capital, and is a name.
func isKindName(kind string) bool {
	return kind[0] >= 'A' && kind[0] <= 'Z' && len(validation.IsDNS1123Label(strings.ToLower(kind))) == 0
}

// StoredName is how a kind that podd stores is told from others of its name: Ingress, but ServiceMonitor.monitoring.coreos.com.
func StoredName(group, kind string) string {
	if StoredKindOf(group, kind) != nil {
		return kind
	}
	return kind + "." + group
}

// PathSegment is the rule for the names of all kinds, of which that of some is (system:node). k8s.io/apimachinery pkg/api/validation/path
func PathSegment(name string) []string {
	if name == "." || name == ".." {
		return []string{"may not be '" + name + "'"}
	}
	for _, c := range []string{"/", "%"} {
		if strings.Contains(name, c) {
			return []string{"may not contain '" + c + "'"}
		}
	}
	return nil
}

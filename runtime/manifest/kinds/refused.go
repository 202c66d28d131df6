package kinds

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"podd/runtime/manifest/decode"
)

// Fault returns the sentence for an object that is not a Pod, or "".
func Fault(h *Header) string {
	const write = "write apiVersion: v1 and kind: Pod"
	switch {
	case h.Near != "":
		return fmt.Sprintf("key %s is not known; %s", h.Near, write)
	case h.Kind != "Pod" && strings.EqualFold(h.Kind, "Pod"):
		return fmt.Sprintf("kind %s is not known; write kind: Pod", h.Kind)
	case h.Kind == "" && h.APIVersion == "":
		return "apiVersion and kind are missing; " + write
	case h.Kind == "":
		return "kind is missing; " + write
	case h.APIVersion == "" && Of(h.Kind) != nil:
		return fmt.Sprintf("apiVersion of kind %s is missing; write apiVersion: %s", h.Kind, VersionOf(h.Kind))
	case h.APIVersion == "":
		return fmt.Sprintf("apiVersion of kind %s is missing; %s", h.Kind, write)
	case h.Kind == KindPod && h.APIVersion == "v1":
		return ""
	}
	if text := legacyFault(h); text != "" {
		return text
	}
	rules, group := Of(h.Kind), ""
	if rules != nil {
		group, _ = GroupOf(rules.APIVersion)
	}
	switch own, _ := GroupOf(h.APIVersion); {
	case rules != nil && rules.APIVersion == h.APIVersion:
		return ""
	case IsStored(h) && (rules == nil || own != group):
		return ""
	case rules != nil:
		return versionFault(h, rules.APIVersion)
	case h.Kind == KindPod:
		return fmt.Sprintf("kind Pod of apiVersion %s is not known; %s", h.APIVersion, write)
	case h.Kind == "PodList":
		return fmt.Sprintf("kind PodList of %s is not run by podd; write kind: List", h.APIVersion)
	}
	if near := decode.NearestOf(h.Kind, names()); near != "" {
		return fmt.Sprintf("kind %s of %s is not known: did you mean %s? Write apiVersion: %s and kind: %s", h.Kind, h.APIVersion, near, VersionOf(near), near)
	}
	return NotRun(h)
}

// names are the kinds that podd acts on.
func names() []string {
	return []string{
		KindPod, "ConfigMap", "Secret", "Namespace", "ServiceAccount", "Service", "EndpointSlice", "NetworkPolicy", "PersistentVolumeClaim",
		"PersistentVolume", "StorageClass", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ControllerRevision", "Job", "CronJob",
		"ReplicationController", "PodTemplate", "PodDisruptionBudget", "RuntimeClass",
	}
}

// VersionOf is the apiVersion that podd takes of a kind; that of Pods of others.
func VersionOf(kind string) string {
	if rules := Of(kind); rules != nil {
		return rules.APIVersion
	}
	return "v1"
}

// NotRun is the sentence about a document that podd does not take.
func NotRun(h *Header) string {
	return fmt.Sprintf("kind %s of %s is not run by podd; remove the document", h.Kind, h.APIVersion)
}

// legacyFault is the sentence about a version that clusters do not serve any more: what to write in its place.
// https://kubernetes.io/docs/reference/using-api/deprecation-guide/
func legacyFault(h *Header) string {
	want, also := "", ""
	switch kind := h.Kind; h.APIVersion {
	case "extensions/v1beta1":
		switch kind {
		case "Deployment", "DaemonSet", "ReplicaSet":
			want, also = "apps/v1", " and spec.selector"
		case "NetworkPolicy", "Ingress":
			want = "networking.k8s.io/v1"
		}
	case "apps/v1beta1", "apps/v1beta2":
		if MakesPods(kind) || kind == "ControllerRevision" {
			want = "apps/v1"
			if kind != "ControllerRevision" {
				also = " and spec.selector"
			}
		}
	case "batch/v1beta1", "batch/v2alpha1":
		if kind == "CronJob" || kind == "Job" {
			want = "batch/v1"
		}
	case "policy/v1beta1":
		switch kind {
		case "PodDisruptionBudget":
			want = "policy/v1"
		case "PodSecurityPolicy":
			return "kind PodSecurityPolicy is gone from Kubernetes since 1.25; write pod-security.kubernetes.io/enforce labels on the Namespace, and remove the document"
		}
	case "networking.k8s.io/v1beta1":
		if kind == "Ingress" || kind == "IngressClass" {
			want = "networking.k8s.io/v1"
		}
	case "autoscaling/v2beta1", "autoscaling/v2beta2":
		want = "autoscaling/v2"
	case "discovery.k8s.io/v1beta1":
		want = "discovery.k8s.io/v1"
	case "node.k8s.io/v1beta1", "node.k8s.io/v1alpha1":
		if kind == "RuntimeClass" {
			want = "node.k8s.io/v1"
		}
	case "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1alpha1":
		want = "rbac.authorization.k8s.io/v1"
	case "apiextensions.k8s.io/v1beta1":
		want = "apiextensions.k8s.io/v1"
	case "admissionregistration.k8s.io/v1beta1":
		if strings.HasSuffix(kind, "WebhookConfiguration") {
			want = "admissionregistration.k8s.io/v1"
		}
	}
	if want == "" {
		return ""
	}
	if h.Kind == "Ingress" {
		also = ", pathType for each path, and backend.service in place of serviceName"
	}
	return fmt.Sprintf("kind %s of apiVersion %s is not served by Kubernetes any more; write apiVersion: %s%s", h.Kind, h.APIVersion, want, also)
}

func versionFault(h *Header, want string) string {
	return fmt.Sprintf("kind %s of apiVersion %s is not known; write apiVersion: %s", h.Kind, h.APIVersion, want)
}

// MakesPods tells whether a kind makes pods from a template.
func MakesPods(kind string) bool {
	switch kind {
	case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob":
		return true
	}
	return false
}

// IsOther tells whether a kind is a well-known one that podd does not know, rather than a misspelled Pod.
func IsOther(kind string) bool {
	switch kind {
	case "Endpoints", "PodDisruptionBudget", "PodTemplate", "ControllerRevision":
		return true
	}
	return MakesPods(kind) || slices.ContainsFunc(storedKinds[:], func(k storedKind) bool { return k.kind == kind })
}

// NearKey returns the key that was meant as kind or apiVersion, but has other capitals.
func NearKey(data []byte, h *Header) string {
	var object map[string]any
	if h.Kind != "" && h.APIVersion != "" || kjson.UnmarshalCaseSensitivePreserveInts(data, &object) != nil {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if h.Kind == "" && key != "kind" && strings.EqualFold(key, "kind") ||
			h.APIVersion == "" && key != "apiVersion" && strings.EqualFold(key, "apiVersion") {
			return key
		}
	}
	return ""
}

package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"
)

// kindFault returns the sentence for an object that is not a Pod, or "".
func kindFault(h *header) string {
	const write = "write apiVersion: v1 and kind: Pod"
	switch {
	case h.near != "":
		return fmt.Sprintf("key %s is not known; %s", h.near, write)
	case h.Kind != "Pod" && strings.EqualFold(h.Kind, "Pod"):
		return fmt.Sprintf("kind %s is not known; write kind: Pod", h.Kind)
	case h.Kind == "" && h.APIVersion == "":
		return "apiVersion and kind are missing; " + write
	case h.Kind == "":
		return "kind is missing; " + write
	case h.APIVersion == "":
		return fmt.Sprintf("apiVersion of kind %s is missing; %s", h.Kind, write)
	case h.Kind == kindPod && h.APIVersion == "v1":
		return ""
	case rulesOf(h.Kind) != nil:
		return versionFault(h, rulesOf(h.Kind).apiVersion)
	case h.Kind == kindPod:
		return fmt.Sprintf("kind Pod of apiVersion %s is not known; %s", h.APIVersion, write)
	}
	remedy := "remove the document"
	switch {
	case isWorkload(h.Kind):
		remedy = "write what is in its pod template as kind: Pod"
	case h.Kind == "PodList":
		remedy = "write kind: List"
	}
	return fmt.Sprintf("kind %s of %s is not run by podd; %s", h.Kind, h.APIVersion, remedy)
}

func versionFault(h *header, want string) string {
	if h.APIVersion == want {
		return ""
	}
	return fmt.Sprintf("kind %s of apiVersion %s is not known; write apiVersion: %s", h.Kind, h.APIVersion, want)
}

// isWorkload tells whether a kind makes pods from a template.
func isWorkload(kind string) bool {
	switch kind {
	case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob":
		return true
	}
	return false
}

// isOther tells whether a kind is a well-known one that podd does not know, rather than a misspelled Pod.
func isOther(kind string) bool {
	switch kind {
	case "Endpoints", "Ingress", "PodDisruptionBudget", "HorizontalPodAutoscaler",
		"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "LimitRange", "ResourceQuota", "PodTemplate", "Node":
		return true
	}
	return isWorkload(kind)
}

// nearKey returns the key that was meant as kind or apiVersion, but has other capitals.
func nearKey(data []byte, h *header) string {
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

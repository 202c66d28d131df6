package api

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"podd/runtime/api/kinds"
)

// patchStatus sets conditions of a pod: those that readiness gates wait for and any others that podd does not set
// itself. It takes what `kubectl patch --subresource=status` sends; conditions are merged by their type.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
func (s *server) patchStatus(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	if err := checkAccepted(p); err != nil {
		return err
	}
	conditions, err := readConditions(r)
	if err != nil {
		return err
	}
	if err := s.backend.SetConditions(r.Context(), p.Namespace, p.Name, conditions); err != nil {
		return err
	}
	if now, err := s.pod(r); err == nil {
		p = now
	}
	writeJSON(w, http.StatusOK, kinds.Pods().Complete(p))
	return nil
}

// readConditions reads a merge patch, whose only content may be conditions.
func readConditions(r *http.Request) ([]corev1.PodCondition, error) {
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/strategic-merge-patch+json", "application/merge-patch+json", "application/json":
	default:
		return nil, unsupportedMedia(kind)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, BadRequest("cannot read the patch: " + err.Error())
	}
	var patch map[string]json.RawMessage
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, BadRequest("cannot read the patch: " + err.Error())
	}
	if others := except(patch, "status", "apiVersion", "kind", "metadata"); others != "" {
		return nil, BadRequest(others + " cannot be changed here: a pod changes with its file")
	}
	var status map[string]json.RawMessage
	if err := json.Unmarshal(patch["status"], &status); err != nil {
		return nil, BadRequest("the patch has no status: only status.conditions can be set")
	}
	if others := except(status, "conditions"); others != "" {
		return nil, BadRequest("status." + others + " is podd's to say: only status.conditions can be set")
	}
	var conditions []corev1.PodCondition
	if err := json.Unmarshal(status["conditions"], &conditions); err != nil || len(conditions) == 0 {
		return nil, BadRequest("the patch has no status.conditions")
	}
	for i := range conditions {
		if err := checkCondition(&conditions[i]); err != nil {
			return nil, err
		}
	}
	return conditions, nil
}

func except(m map[string]json.RawMessage, known ...string) string {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, name) {
			return name
		}
	}
	return ""
}

func checkCondition(c *corev1.PodCondition) error {
	if msgs := validation.IsQualifiedName(string(c.Type)); len(msgs) > 0 {
		return BadRequest(fmt.Sprintf("status.conditions: Invalid value: %q: %s", c.Type, strings.Join(msgs, "; ")))
	}
	if isOwnCondition(c.Type) {
		return BadRequest(fmt.Sprintf("status.conditions: condition %s is podd's to say", c.Type))
	}
	switch c.Status {
	case corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown:
		return nil
	}
	return BadRequest(fmt.Sprintf("status.conditions: Unsupported value: %q: supported values: \"False\", \"True\", \"Unknown\"", c.Status))
}

// isOwnCondition says of a condition that podd sets it.
func isOwnCondition(t corev1.PodConditionType) bool {
	switch t {
	case corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
		corev1.DisruptionTarget, corev1.AllContainersRestarting, corev1.PodResizeInProgress, corev1.PodResizePending, ManifestAccepted:
		return true
	}
	return false
}

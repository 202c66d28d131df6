package body

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// WorkloadPatch is what a client asks to have changed of a workload by hand.
type WorkloadPatch struct {
	Fields map[string]any // of spec; nil takes one away
	// Restart asks for successors of all pods.
	Restart bool
	// Template is that of an earlier revision, which is to be put back; nil: it stays.
	Template *corev1.PodTemplateSpec
}

// The media types of patches of workloads. kubectl undoes a rollout of a Deployment by the last of them.
const (
	StrategicPatch = "application/strategic-merge-patch+json"
	MergePatch     = "application/merge-patch+json"
	JSONPatch      = "application/json-patch+json"
)

const onlyByHand = "only spec.replicas, spec.paused, spec.suspend, spec.parallelism, the restart of pods and the template of a kept revision can be set here: the rest changes with the file"

// Workload reads a patch of a workload: what kubectl scale, rollout and the like send.
func Workload(media string, data []byte) (p WorkloadPatch, err error) {
	var spec map[string]json.RawMessage
	if media == JSONPatch {
		spec, err = fieldsOfOperations(data)
	} else {
		var patch struct {
			Spec map[string]json.RawMessage `json:"spec"`
		}
		err = json.Unmarshal(data, &patch)
		spec = patch.Spec
	}
	if err != nil {
		return p, apierrors.NewBadRequest("cannot read the patch: " + err.Error())
	}
	if len(spec) == 0 {
		return p, apierrors.NewBadRequest(onlyByHand)
	}
	p.Fields = map[string]any{}
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		value := spec[field]
		switch field {
		case "replicas", "paused", "suspend", "parallelism":
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return p, apierrors.NewBadRequest("cannot read the patch: " + err.Error())
			}
			p.Fields[field] = v
		case "template":
			if err := p.template(media, value); err != nil {
				return p, err
			}
		default:
			return p, apierrors.NewBadRequest("spec." + field + " cannot be changed here: it changes with the file")
		}
	}
	return p, nil
}

// template reads the patch of a template: that of kubectl rollout restart, or a whole one in the place of the present one.
func (p *WorkloadPatch) template(media string, value json.RawMessage) error {
	if media != JSONPatch && isRestart(value) {
		p.Restart = true
		return nil
	}
	var whole struct {
		Patch string `json:"$patch"`
	}
	refusal := apierrors.NewBadRequest("of spec.template only the annotation kubectl.kubernetes.io/restartedAt can be set here, and a kept revision put back: the rest changes with the file")
	if json.Unmarshal(value, &whole) != nil || media != JSONPatch && (media != StrategicPatch || whole.Patch != "replace") {
		return refusal
	}
	p.Template = &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(value, p.Template); err != nil {
		return apierrors.NewBadRequest("cannot read the patch: " + err.Error())
	}
	delete(p.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return nil
}

// isRestart says whether a patch of a template is the one of kubectl rollout restart.
func isRestart(value json.RawMessage) bool {
	var t map[string]map[string]map[string]string
	if json.Unmarshal(value, &t) != nil || len(t) != 1 || len(t["metadata"]) != 1 {
		return false
	}
	_, ok := t["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
	return ok && len(t["metadata"]["annotations"]) == 1
}

// fieldsOfOperations are the fields of spec that a JSON patch sets. The annotations that kubectl puts back together with a template
// are left out: those of an object are the file's.
func fieldsOfOperations(data []byte) (map[string]json.RawMessage, error) {
	var operations []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(data, &operations); err != nil {
		return nil, err
	}
	spec := map[string]json.RawMessage{}
	annotations := false
	for _, o := range operations {
		field, ok := strings.CutPrefix(o.Path, "/spec/")
		switch {
		case o.Path == "/metadata/annotations" && o.Op == "replace":
			annotations = true
		case !ok || strings.Contains(field, "/"):
			return nil, fmt.Errorf("%s: %s", o.Path, onlyByHand)
		case o.Op == "remove":
			spec[field] = json.RawMessage("null")
		case o.Op == "add" || o.Op == "replace":
			spec[field] = o.Value
		default:
			return nil, fmt.Errorf("operation %q is not known here: add, replace and remove are", o.Op)
		}
	}
	if annotations && spec["template"] == nil {
		return nil, fmt.Errorf("/metadata/annotations: %s", onlyByHand)
	}
	return spec, nil
}

package body

import (
	"bytes"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Ephemeral reads the ephemeral containers of a pod, or of a strategic merge patch of one, strictly.
func Ephemeral(data []byte) ([]corev1.EphemeralContainer, error) {
	bad := func(err error) error {
		return apierrors.NewBadRequest("cannot read the ephemeral containers: " + err.Error())
	}
	var pod struct {
		Spec struct {
			EphemeralContainers json.RawMessage `json:"ephemeralContainers"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(data, &pod); err != nil {
		return nil, bad(err)
	}
	if len(pod.Spec.EphemeralContainers) == 0 {
		return nil, apierrors.NewBadRequest("spec.ephemeralContainers is all that can be set here, and it is not there")
	}
	var list []corev1.EphemeralContainer
	d := json.NewDecoder(bytes.NewReader(pod.Spec.EphemeralContainers))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, bad(err)
	}
	return list, nil
}

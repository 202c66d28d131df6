package body

import (
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Eviction reads a policy/v1 Eviction of a pod, and the dryRun of its request: how the pod is to be deleted.
func Eviction(data []byte, pod string, dryRun []string) (*metav1.DeleteOptions, error) {
	var e struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta     `json:"metadata"`
		DeleteOptions   *metav1.DeleteOptions `json:"deleteOptions"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, apierrors.NewBadRequest("cannot read the eviction: " + err.Error())
	}
	if e.Kind != "" && e.Kind != "Eviction" || e.APIVersion != "" && e.APIVersion != "policy/v1" && e.APIVersion != "policy/v1beta1" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not a Eviction object: %s %s", e.APIVersion, e.Kind))
	}
	if e.Metadata.Name != pod {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	o := e.DeleteOptions
	if o == nil {
		o = &metav1.DeleteOptions{}
	}
	switch {
	case len(o.DryRun) == 0:
		o.DryRun = dryRun
	case len(dryRun) > 0 && !slices.Equal(dryRun, o.DryRun):
		return nil, apierrors.NewBadRequest(fmt.Sprintf("Non-matching dry-run options in request and content: %v and %v", dryRun, o.DryRun))
	}
	if _, err := DryRun(o.DryRun); err != nil {
		return nil, err
	}
	if o.GracePeriodSeconds != nil && *o.GracePeriodSeconds < 0 {
		one := int64(1) // as the API server has it
		o.GracePeriodSeconds = &one
	}
	return o, nil
}

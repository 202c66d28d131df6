package client

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// podOutline is as much of a pod as it takes to choose a container. Decoding a whole one makes encoding/json
// study hundreds of types, which would be a quarter of the time of an exec.
type podOutline struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		InitContainers      []nameOnly `json:"initContainers"`
		Containers          []nameOnly `json:"containers"`
		EphemeralContainers []nameOnly `json:"ephemeralContainers"`
	} `json:"spec"`
}

type nameOnly struct {
	Name string `json:"name"`
}

// Outline asks for a pod and returns it with nothing but its annotations and the names of its containers.
func (c *Client) Outline(ctx context.Context, path string) (*corev1.Pod, error) {
	var o podOutline
	if err := c.Object(ctx, path, nil, AcceptObject, &o); err != nil {
		return nil, err
	}
	p := &corev1.Pod{}
	p.Annotations = o.Metadata.Annotations
	for _, n := range o.Spec.InitContainers {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: n.Name})
	}
	for _, n := range o.Spec.Containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: n.Name})
	}
	for _, n := range o.Spec.EphemeralContainers {
		p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: n.Name}})
	}
	return p, nil
}

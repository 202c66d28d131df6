package runtime

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// metadataField is a field of a pod's metadata as the downward API writes it.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
func metadataField(p *corev1.Pod, path string) (string, error) {
	switch path {
	case "metadata.name":
		return p.Name, nil
	case "metadata.namespace":
		return p.Namespace, nil
	case "metadata.uid":
		return string(p.UID), nil
	case "metadata.labels":
		return formatMap(p.Labels), nil
	case "metadata.annotations":
		return formatMap(p.Annotations), nil
	}
	field, key, ok := strings.Cut(path, "['")
	key, closed := strings.CutSuffix(key, "']")
	switch {
	case ok && closed && field == "metadata.labels":
		return p.Labels[key], nil
	case ok && closed && field == "metadata.annotations":
		return p.Annotations[key], nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

// formatMap writes one key="value" a line.
func formatMap(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, fmt.Sprintf("%v=%q", key, m[key]))
	}
	return strings.Join(lines, "\n")
}

// resourceField is a request or limit of a container in units of the divisor, rounded up. A limit that is not set is
// what the board has.
func resourceField(rec *Record, ref *corev1.ResourceFieldSelector, allocatable corev1.ResourceList) (string, error) {
	spec := rec.spec(ref.ContainerName)
	if spec == nil {
		return "", fmt.Errorf("container %q not found", ref.ContainerName)
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var q resource.Quantity
	switch kind {
	case "limits":
		q = spec.Resources.Limits[corev1.ResourceName(name)]
		if q.IsZero() {
			q = allocatable[corev1.ResourceName(name)]
		}
	case "requests":
		q = spec.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("unsupported container resource: %v", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return ceilDivide(q.MilliValue(), divisor.MilliValue()), nil
	}
	return ceilDivide(q.Value(), divisor.Value()), nil
}

func ceilDivide(a, b int64) string {
	return strconv.FormatInt(int64(math.Ceil(float64(a)/float64(b))), 10)
}

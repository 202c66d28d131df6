package env

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The paths are those of the downward API; what a kubelet says of each is in its podFieldSelectorRuntimeValue and in
// pkg/fieldpath. https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#available-fields
func TestField(t *testing.T) {
	t.Parallel()
	full := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "p", Namespace: "ns", UID: "u-1",
			Labels:      map[string]string{"app": "web", "app.kubernetes.io/name": "x", "app-z": "z", "B": "capital"},
			Annotations: map[string]string{"note": "a \"quoted\"\nline", "smile": "☺\t", "": "nameless", "a['b']": "odd"},
		},
		Spec: corev1.PodSpec{NodeName: "board", ServiceAccountName: "robot"},
		Status: corev1.PodStatus{
			HostIP: "192.0.2.1", HostIPs: []corev1.HostIP{{IP: "192.0.2.1"}, {IP: "2001:db8::1"}},
			PodIP: "10.0.0.9", PodIPs: []corev1.PodIP{{IP: "10.0.0.9"}},
		},
	}
	for path, want := range map[string]string{
		"metadata.name": "p", "metadata.namespace": "ns", "metadata.uid": "u-1", "spec.nodeName": "board", "spec.serviceAccountName": "robot",
		"status.hostIP": "192.0.2.1", "status.hostIPs": "192.0.2.1,2001:db8::1", "status.podIP": "10.0.0.9", "status.podIPs": "10.0.0.9",
		// sorted by key: bytes, so capitals first, and a key before those that it begins
		"metadata.labels":                           "B=\"capital\"\napp=\"web\"\napp-z=\"z\"\napp.kubernetes.io/name=\"x\"",
		"metadata.annotations":                      "=\"nameless\"\na['b']=\"odd\"\nnote=\"a \\\"quoted\\\"\\nline\"\nsmile=\"☺\\t\"",
		"metadata.labels['app']":                    "web",
		"metadata.labels['app.kubernetes.io/name']": "x",
		"metadata.labels['none']":                   "",
		"metadata.annotations['note']":              "a \"quoted\"\nline", // a value alone is not quoted
		"metadata.annotations['a['b']']":            "odd",
		"metadata.annotations['']":                  "nameless",
	} {
		if got, err := Field(full, path); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]string{
		"spec.serviceAccountName": "default", "status.podIPs": "", "status.hostIPs": "", "metadata.labels": "", "metadata.annotations['x']": "",
	} {
		if got, err := Field(&corev1.Pod{}, path); err != nil || got != want {
			t.Errorf("%s of an empty pod: %q, %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"", "metadata", "metadata.name ", "Metadata.name", "spec.restartPolicy", "status.phase", "metadata.name['x']", "spec.nodeName['x']"} {
		if got, err := Field(full, path); got != "" || err == nil || err.Error() != "unsupported fieldPath: "+path {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

func TestResource(t *testing.T) {
	t.Parallel()
	quantities := func(text string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for _, word := range strings.Fields(text) {
			name, q, _ := strings.Cut(word, "=")
			out[corev1.ResourceName(name)] = resource.MustParse(q)
		}
		return out
	}
	board := quantities("cpu=4 memory=8Gi ephemeral-storage=64Gi")
	for _, tc := range []struct {
		name, requests, limits, pod string // pod: limits of the whole pod
		resource, divisor           string
		want                        string
	}{
		{"whole cores, rounded up", "", "cpu=1001m", "", "limits.cpu", "", "2"},
		{"a divisor of zero is one", "", "cpu=1500m", "", "limits.cpu", "0", "2"},
		{"a millicore", "", "cpu=1", "", "limits.cpu", "1m", "1000"},
		{"less than a millicore", "cpu=100u", "", "", "requests.cpu", "1m", "1"},
		{"bytes", "", "memory=1Mi", "", "limits.memory", "1", "1048576"},
		{"a byte more than the divisor", "", "memory=1048577", "", "limits.memory", "1Mi", "2"},
		{"a divisor greater than the value", "", "memory=1", "", "limits.memory", "1Gi", "1"},
		{"requests of nothing", "", "cpu=2", "", "requests.cpu", "", "0"},
		{"requests stay zero beside a board", "memory=0", "", "", "requests.memory", "1Mi", "0"},
		{"no limit: all of the board", "", "", "", "limits.cpu", "", "4"},
		{"a limit of zero is none", "", "memory=0", "", "limits.memory", "1Gi", "8"},
		{"no limit of its own: the pod's", "", "", "cpu=3 memory=5Gi", "limits.memory", "1Gi", "5"},
		{"the pod's limit of zero is none", "", "", "cpu=0", "limits.cpu", "", "4"},
		{"its own before the pod's", "", "cpu=1", "cpu=3", "limits.cpu", "", "1"},
		{"ephemeral storage", "", "", "", "limits.ephemeral-storage", "1Gi", "64"},
		{"ephemeral storage requested", "ephemeral-storage=1.5Gi", "", "", "requests.ephemeral-storage", "1Gi", "2"},
		{"huge pages are not the board's", "", "", "hugepages-2Mi=8Mi", "limits.hugepages-2Mi", "1Mi", "0"},
		{"huge pages", "", "hugepages-2Mi=4Mi", "", "limits.hugepages-2Mi", "2Mi", "2"},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: quantities(tc.requests), Limits: quantities(tc.limits)}}},
			Containers:     []corev1.Container{{Name: "main"}},
		}}
		if tc.pod != "" {
			p.Spec.Resources = &corev1.ResourceRequirements{Limits: quantities(tc.pod)}
		}
		ref := &corev1.ResourceFieldSelector{Resource: tc.resource}
		if tc.divisor != "" {
			ref.Divisor = resource.MustParse(tc.divisor)
		}
		if got, err := Resource(p, "c", ref, board); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %s", tc.name, got, err, tc.want)
		}
	}
	if _, err := Resource(&corev1.Pod{}, "gone", &corev1.ResourceFieldSelector{Resource: "limits.cpu"}, board); err == nil || err.Error() != "container gone not found" {
		t.Error(err)
	}
}

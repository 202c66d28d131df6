package describe

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func describePod(t *testing.T, p *corev1.Pod) string {
	t.Helper()
	var b strings.Builder
	if err := Pod(&b, p, nil, at); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A refused manifest has hardly any status; the reason must be seen all the same.
func TestRefusedPod(t *testing.T) {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "bad"},
		Status:     corev1.PodStatus{Phase: corev1.PodPending, Reason: "InvalidManifest", Message: "bad.yaml: line 3: no"},
	}
	want := `Name:             bad
Namespace:        default
Node:             <none>
Labels:           <none>
Annotations:      <none>
Status:           Pending
Reason:           InvalidManifest
Message:          bad.yaml: line 3: no
IP:               
IPs:              <none>
Volumes:          <none>
QoS Class:        BestEffort
Node-Selectors:   <none>
Tolerations:      <none>
Events:           <none>
`
	if got := describePod(t, p); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Nothing that a pod says of itself, in several lines, looks like a line of podd's own.
func TestValuesCannotForgeFields(t *testing.T) {
	const forged = "well\nStatus:  Running\nName:  other\n"
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"l": forged}, Annotations: map[string]string{"a": forged}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: forged, Command: []string{forged}, Env: []corev1.EnvVar{{Name: "E", Value: forged}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: forged, Message: forged, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: forged, Message: forged, ExitCode: 3}},
		}}},
	}
	var b strings.Builder
	if err := Pod(&b, p, []corev1.Event{{Type: forged, Reason: forged, Message: forged}}, at); err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]string{"Status:": "Failed", "Name:": "p"} {
		n := 0
		for l := range strings.Lines(b.String()) {
			if strings.HasPrefix(l, field) {
				n++
				if strings.TrimSpace(strings.TrimPrefix(l, field)) != value {
					t.Errorf("forged: %q", l)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d lines of %s", n, field)
		}
	}
	if !strings.Contains(b.String(), "\n      Exit Code:") {
		t.Error("no exit code where it belongs")
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestTerminatingPod(t *testing.T) {
	p := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.DeletionTimestamp = new(metav1.NewTime(at.Add(-5 * time.Second)))
	p.DeletionGracePeriodSeconds = new(int64(30))
	got := describePod(t, p)
	for _, want := range []string{"Terminating (lasts 5s)", "Termination Grace Period:  30s"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestVolume(t *testing.T) {
	tests := []struct {
		name   string
		source corev1.VolumeSource
		want   string
	}{
		{"image", corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "busybox", PullPolicy: corev1.PullNever}}, "v: Type: Image (a container image or OCI artifact) Reference: busybox PullPolicy: Never"},
		{"projected", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Optional: new(true)}},
		}}}, "v: Type: Projected (a volume that contains injected data from multiple sources) ConfigMapName: c Optional: false SecretName: s Optional: true"},
		{"of a cluster", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}, "v: <unknown>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: tt.source}}}}
			got := strings.Join(strings.Fields(describePod(t, p)), " ")
			if !strings.Contains(got, "Volumes: "+tt.want+" QoS") {
				t.Errorf("got %s, want %s in it", got, tt.want)
			}
		})
	}
}

func TestContainerResource(t *testing.T) {
	c := &corev1.Container{Resources: corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{"cpu": resource.MustParse("1500m"), "memory": resource.MustParse("64Mi")},
		Requests: corev1.ResourceList{"memory": resource.MustParse("1")},
	}}
	tests := []struct{ resource, divisor, want string }{
		{"limits.cpu", "0", "2"},
		{"limits.cpu", "1", "2"},
		{"limits.cpu", "1m", "1500"},
		{"limits.memory", "0", "67108864"},
		{"limits.memory", "1Mi", "64"},
		{"requests.memory", "1Ki", "1"},
		{"requests.cpu", "1", "0"},
	}
	for _, tt := range tests {
		r := &corev1.ResourceFieldSelector{Resource: tt.resource, Divisor: resource.MustParse(tt.divisor)}
		if got := containerResource(c, r); got != tt.want {
			t.Errorf("%s / %s = %s, want %s", tt.resource, tt.divisor, got, tt.want)
		}
	}
	if got := containerResource(&corev1.Container{}, &corev1.ResourceFieldSelector{Resource: "limits.cpu"}); got != "node allocatable" {
		t.Errorf("without a limit: %s", got)
	}
}

func TestQOSClass(t *testing.T) {
	list := func(cpu, memory string) corev1.ResourceList {
		l := corev1.ResourceList{}
		if cpu != "" {
			l["cpu"] = resource.MustParse(cpu)
		}
		if memory != "" {
			l["memory"] = resource.MustParse(memory)
		}
		return l
	}
	tests := []struct {
		limits, requests corev1.ResourceList
		want             corev1.PodQOSClass
	}{
		{nil, nil, corev1.PodQOSBestEffort},
		{list("1", "1Mi"), nil, corev1.PodQOSGuaranteed},
		{list("1", "1Mi"), list("1", "1Mi"), corev1.PodQOSGuaranteed},
		{list("1", "1Mi"), list("500m", "1Mi"), corev1.PodQOSBurstable},
		{list("1", ""), nil, corev1.PodQOSBurstable},
		{nil, list("", "1Mi"), corev1.PodQOSBurstable},
	}
	for _, tt := range tests {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Limits: tt.limits, Requests: tt.requests}}}}}
		if got := qosClass(p); got != tt.want {
			t.Errorf("limits %v, requests %v: %s, want %s", tt.limits, tt.requests, got, tt.want)
		}
	}
}

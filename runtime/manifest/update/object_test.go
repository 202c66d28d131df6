package update

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/kinds"
)

func TestCompareObjects(t *testing.T) {
	yes := true
	sealed := func(annotations map[string]string, data map[string][]byte) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{annotation.SealedKey: "age"}}, Data: data}
		for k, v := range annotations {
			s.Annotations[k] = v
		}
		return s
	}
	written := map[string][]byte{"a": []byte("cipher"), "b": []byte("cipher2")}
	sum := map[string]string{annotation.SealedSumKey: annotation.SealedSum(sealed(nil, written))}
	opened := sealed(sum, map[string][]byte{"a": []byte("1"), "b": []byte("2")})
	service := func(change func(*corev1.ServiceSpec)) *corev1.Service {
		s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, Protocol: "TCP"}}}}
		if change != nil {
			change(&s.Spec)
		}
		return s
	}
	given := service(func(s *corev1.ServiceSpec) {
		s.ClusterIP, s.ClusterIPs, s.Ports[0].NodePort = "10.0.0.7", []string{"10.0.0.7"}, 30001
	})
	for name, c := range map[string]struct {
		kind        string
		shown, file kinds.Value
		fields      []string
		refused     bool
	}{
		"what podd says of it is no difference": {
			"Pod", &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: "7", Annotations: map[string]string{annotation.ManifestKey: "f", annotation.ConfigSourceKey: "file"}},
			}, &corev1.ConfigMap{}, nil, false,
		},
		"a status is none": {"Service", &corev1.Service{Status: corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "x"}}}}, &corev1.Service{}, nil, false},
		"keys of data": {
			"ConfigMap", &corev1.ConfigMap{Data: map[string]string{"a": "1", "b": "1"}}, &corev1.ConfigMap{Data: map[string]string{"a": "2", "c": "1"}},
			[]string{"data[a]", "data[b]", "data[c]"},
			false,
		},
		"immutable": {
			"ConfigMap", &corev1.ConfigMap{Immutable: &yes, Data: map[string]string{"a": "1"}}, &corev1.ConfigMap{Immutable: &yes}, []string{"data[a]"}, true,
		},
		"sealed alike":       {"Secret", opened, sealed(nil, written), nil, false},
		"sealed anew":        {"Secret", opened, sealed(nil, map[string][]byte{"a": []byte("other"), "b": []byte("cipher2")}), []string{"data, which is sealed"}, false},
		"sealed with a key":  {"Secret", opened, sealed(nil, map[string][]byte{"a": []byte("cipher"), "c": []byte("x")}), []string{"data[b]", "data[c]"}, false},
		"chosen by podd":     {"Service", given, service(nil), nil, false},
		"another address":    {"Service", given, service(func(s *corev1.ServiceSpec) { s.ClusterIP = "10.0.0.8" }), []string{"spec.clusterIP"}, false},
		"another node port":  {"Service", given, service(func(s *corev1.ServiceSpec) { s.Ports[0].NodePort = 30002 }), []string{"spec.ports[0].nodePort"}, false},
		"volume of a claim":  {"PersistentVolumeClaim", &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "v"}}, &corev1.PersistentVolumeClaim{}, nil, false},
		"labels of anything": {"ServiceAccount", &corev1.ServiceAccount{}, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}}, []string{"metadata.labels"}, false},
	} {
		got := CompareObjects(c.kind, c.shown, c.file)
		if !slices.Equal(got.Fields, c.fields) || (got.Refused != nil) != c.refused {
			t.Errorf("%s: %v, refused %v", name, got.Fields, got.Refused)
		}
	}
}

func TestCompareWorkloads(t *testing.T) {
	two, three := int32(2), int32(3)
	shown := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &three}}
	shown.Annotations = map[string]string{annotation.OverridesKey: "spec.replicas", "deployment.kubernetes.io/revision": "4"}
	file := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &two}}
	if c := CompareObjects("Deployment", shown, file); !slices.Equal(c.Fields, []string{"spec.replicas"}) || !c.Overridden("spec.replicas") || c.RollsOut {
		t.Errorf("%+v", c)
	}
	file.Spec.Template.Labels = map[string]string{"a": "b"}
	file.Spec.Replicas = &three
	if c := CompareObjects("Deployment", shown, file); !c.RollsOut || c.Overridden(c.Fields[0]) {
		t.Errorf("%+v", c)
	}
	file.Spec.Paused = true
	if c := CompareObjects("Deployment", shown, file); c.RollsOut {
		t.Errorf("paused: %+v", c)
	}
}

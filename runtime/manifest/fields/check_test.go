package fields

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// Each field that is refused is named by its path in the pod, with the reason of its row; what a cluster alone acts on is not.
func TestCheckPod(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       []string // paths; the sentence is that of the row
	}{
		{"a plain pod", "{metadata: {name: p, finalizers: [a.b/c]}, spec: {schedulerName: x, tolerations: [{operator: Exists}], containers: [{name: c, image: x}]}}", nil},
		{"empty lists say nothing", "{spec: {securityContext: {}, resourceClaims: [], containers: [{name: c, image: x}]}}", nil},
		{"a volume without a driver", "{spec: {securityContext: {}, volumes: [{name: a, emptyDir: {}}, {name: b, iscsi: {targetPortal: p, iqn: q, lun: 0}}]}}", []string{"spec.volumes[1].iscsi"}},
		{"Linux", "{spec: {securityContext: {}, os: {name: linux}}}", nil},
		{"Windows", "{spec: {securityContext: {}, os: {name: windows}}}", []string{"spec.os.name"}},
		{"resource claims", "{spec: {securityContext: {}, resourceClaims: [{name: a, resourceClaimName: b}], containers: [{name: c, image: x}]}}", []string{"spec.resourceClaims"}},
		{"an annotation of the past", "{metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: localhost/x}}, spec: {securityContext: {}}}", []string{"metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]"}},
		{"a sysctl of the node", "{spec: {securityContext: {sysctls: [{name: net.a, value: '1'}, {name: vm.a, value: '1'}]}}}", []string{"spec.securityContext.sysctls[1].name"}},
	} {
		pod := &corev1.Pod{}
		if err := yaml.UnmarshalStrict([]byte(tc.text), pod); err != nil {
			t.Fatal(err)
		}
		if pod.Spec.SecurityContext == nil {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
		}
		var paths []string
		for _, err := range CheckPod(pod) {
			paths = append(paths, err.Field)
			if err.Type != field.ErrorTypeForbidden {
				t.Errorf("%s: %v", tc.name, err)
			}
			plain := strings.NewReplacer("[0]", "[]", "[1]", "[]").Replace(err.Field)
			if r := rowOf([]byte(plain)); r != nil && r.support == Refused && err.Detail != r.why {
				t.Errorf("%s: %q, want %q", tc.name, err.Detail, r.why)
			}
		}
		if !slices.Equal(paths, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, paths, tc.want)
		}
		// The spec alone, elsewhere, is judged by the same rows.
		for _, err := range CheckSpec(&pod.Spec, field.NewPath("spec", "template", "spec")) {
			if at := strings.Replace(err.Field, "spec.template.", "", 1); !slices.Contains(tc.want, at) {
				t.Errorf("%s: %s of a template", tc.name, err.Field)
			}
		}
	}
}

// Init containers have the rows of the others.
func TestRowOf(t *testing.T) {
	t.Parallel()
	if a, b := rowOf([]byte("spec.initContainers[].image")), rowOf([]byte("spec.containers[].image")); a == nil || a != b {
		t.Errorf("%v, %v", a, b)
	}
	for _, path := range []string{"", "spec", "spec.containers[0].image", "spec.initContainersx"} {
		if r := rowOf([]byte(path)); r != nil {
			t.Errorf("%q: %+v", path, r)
		}
	}
	if all := Fields(); len(all) != len(table) || all[0].Path != table[0].path {
		t.Error("the table that others see is another")
	}
}

func TestIsSet(t *testing.T) {
	t.Parallel()
	no := false
	for _, tc := range []struct {
		value any
		want  bool
	}{
		{"", false},
		{"a", true},
		{0, false},
		{-1, true},
		{false, false},
		{&no, true},
		{(*bool)(nil), false},
		{[]string(nil), false},
		{[]string{}, false},
		{[]string{""}, true},
		{map[string]string{}, false},
		{map[string]string{"": ""}, true},
		{corev1.ObjectReference{}, false},
		{corev1.ObjectReference{Name: "a"}, true},
	} {
		if got := IsSet(reflect.ValueOf(tc.value)); got != tc.want {
			t.Errorf("%#v: %t", tc.value, got)
		}
	}
}

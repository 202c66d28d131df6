package runtimeclass

import (
	"encoding/json"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

func TestAdmit(t *testing.T) {
	const (
		class    = `{"metadata":{"name":"x"},"handler":"x"}`
		overhead = `{"metadata":{"name":"x"},"handler":"x","overhead":{"podFixed":{"memory":"64Mi","cpu":"250m"}}}`
		labelled = `{"metadata":{"name":"x"},"handler":"x","scheduling":{"nodeSelector":{"gpu":"yes","a":"b"},"tolerations":[{"key":"gpu","operator":"Exists"}]}}`
		empty    = `{"metadata":{"name":"x"},"handler":"x","overhead":{},"scheduling":{}}`
	)
	for _, tc := range []struct{ name, class, pod, want, err string }{
		{"no class", "", `{}`, `{}`, ""},
		{"overhead without a class", "", `{"overhead":{"cpu":"1"}}`, "", "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"},
		{"not there", "", `{"runtimeClassName":"x"}`, "", `pod rejected: RuntimeClass "x" not found`},
		{"bare", class, `{"runtimeClassName":"x"}`, `{"runtimeClassName":"x"}`, ""},
		{"overhead that the class has not", class, `{"runtimeClassName":"x","overhead":{"cpu":"1"}}`, "", "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"},
		{"overhead", overhead, `{"runtimeClassName":"x"}`, `{"runtimeClassName":"x","overhead":{"memory":"64Mi","cpu":"250m"}}`, ""},
		{"empty overhead", overhead, `{"runtimeClassName":"x","overhead":{}}`, `{"runtimeClassName":"x","overhead":{"memory":"64Mi","cpu":"250m"}}`, ""},
		{"the same overhead", overhead, `{"runtimeClassName":"x","overhead":{"memory":"65536Ki","cpu":"0.25"}}`, `{"runtimeClassName":"x","overhead":{"memory":"64Mi","cpu":"250m"}}`, ""},
		{"another overhead", overhead, `{"runtimeClassName":"x","overhead":{"cpu":"250m"}}`, "", "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"},
		{"nothing in it", empty, `{"runtimeClassName":"x"}`, `{"runtimeClassName":"x"}`, ""},
		{
			"scheduling", labelled, `{"runtimeClassName":"x","nodeSelector":{"c":"d","a":"b"},"tolerations":[{"key":"k","operator":"Exists"}]}`,
			`{"runtimeClassName":"x","nodeSelector":{"a":"b","c":"d","gpu":"yes"},"tolerations":[{"key":"k","operator":"Exists"},{"key":"gpu","operator":"Exists"}]}`, "",
		},
		{"scheduling alone", labelled, `{"runtimeClassName":"x"}`, `{"runtimeClassName":"x","nodeSelector":{"a":"b","gpu":"yes"},"tolerations":[{"key":"gpu","operator":"Exists"}]}`, ""},
		{"conflict", labelled, `{"runtimeClassName":"x","nodeSelector":{"gpu":"no"}}`, "", "conflict: runtimeClass.scheduling.nodeSelector[gpu] = yes; pod.spec.nodeSelector[gpu] = no"},
	} {
		pod := &corev1.Pod{Spec: *decode[corev1.PodSpec](t, tc.pod)}
		before := pod.DeepCopy()
		var c *nodev1.RuntimeClass
		if tc.class != "" {
			c = decode[nodev1.RuntimeClass](t, tc.class)
		}
		got, err := Admit(pod, c)
		if !reflect.DeepEqual(pod, before) {
			t.Errorf("%s: the pod was changed", tc.name)
		}
		if err != nil || tc.err != "" {
			if err == nil || err.Error() != tc.err {
				t.Errorf("%s: %v, want %s", tc.name, err, tc.err)
			}
			continue
		}
		if want := decode[corev1.PodSpec](t, tc.want); !equality.Semantic.DeepEqual(&got.Spec, want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got.Spec, want)
		}
	}
}

// One that another covers is left out, whichever comes first.
func TestMergeTolerations(t *testing.T) {
	for _, tc := range []struct{ name, first, second, want string }{
		{"same", `[{"key":"a","operator":"Exists"}]`, `[{"key":"a","operator":"Exists"}]`, `[{"key":"a","operator":"Exists"}]`},
		{"all of a key", `[{"key":"a","operator":"Equal","value":"1"}]`, `[{"key":"a","operator":"Exists"}]`, `[{"key":"a","operator":"Exists"}]`},
		{"all keys", `[{"operator":"Exists"}]`, `[{"key":"a","operator":"Exists","effect":"NoSchedule"}]`, `[{"operator":"Exists"}]`},
		{"other effects", `[{"key":"a","operator":"Exists","effect":"NoExecute"}]`, `[{"key":"a","operator":"Exists","effect":"NoSchedule"}]`, `[{"key":"a","operator":"Exists","effect":"NoExecute"},{"key":"a","operator":"Exists","effect":"NoSchedule"}]`},
		{"longer", `[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":5}]`, `[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9}]`, `[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9}]`},
		{"for ever", `[{"key":"a","operator":"Exists","effect":"NoExecute"}]`, `[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9}]`, `[{"key":"a","operator":"Exists","effect":"NoExecute"}]`},
		{"values", `[{"key":"a","operator":"Equal","value":"1"}]`, `[{"key":"a","operator":"Equal","value":"2"}]`, `[{"key":"a","operator":"Equal","value":"1"},{"key":"a","operator":"Equal","value":"2"}]`},
	} {
		got := mergeTolerations(*decode[[]corev1.Toleration](t, tc.first), *decode[[]corev1.Toleration](t, tc.second))
		if want := *decode[[]corev1.Toleration](t, tc.want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, want)
		}
	}
}

package env

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/json"
)

func testSource(p *corev1.Pod) *Source {
	return &Source{
		Pod:         p,
		Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("1000000000")},
		Services:    []Var{{"WEB_SERVICE_HOST", "10.0.0.1"}, {"OWN", "service"}},
		ConfigMap: func(name string) (*corev1.ConfigMap, error) {
			if name != "cm" {
				return nil, NotFound("configmap", name)
			}
			return &corev1.ConfigMap{Data: map[string]string{"a": "one", "b.c": "$(a)", "1-x": "odd"}, BinaryData: map[string][]byte{"bin": {1}}}, nil
		},
		Secret: func(name string) (*corev1.Secret, error) {
			if name != "s" {
				return nil, NotFound("secret", name)
			}
			return &corev1.Secret{Data: map[string][]byte{"k": []byte("hid$(a)den"), "a": []byte("secret")}}, nil
		},
	}
}

// expandTest replaces $(NAME) only; the real one has tests of its own.
func expandTest(s string, lookup func(string) (string, bool)) string {
	for _, name := range []string{"a", "A", "B", "WEB_SERVICE_HOST", "LATER"} {
		if v, ok := lookup(name); ok {
			s = strings.ReplaceAll(s, "$("+name+")", v)
		}
	}
	return s
}

// An optional reference is one to what may be missing, not to what cannot be read.
func TestOptional(t *testing.T) {
	t.Parallel()
	away := errors.New("the store is away")
	source := &Source{
		Pod:       &corev1.Pod{},
		ConfigMap: func(string) (*corev1.ConfigMap, error) { return nil, away },
		Secret:    func(string) (*corev1.Secret, error) { return nil, away },
	}
	yes := true
	named := corev1.LocalObjectReference{Name: "x"}
	for name, c := range map[string]corev1.Container{
		"all of a config map": {EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named, Optional: &yes}}}},
		"all of a secret":     {EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named, Optional: &yes}}}},
		"a config map's key": {Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named, Key: "k", Optional: &yes},
		}}}},
		"a secret's key": {Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named, Key: "k", Optional: &yes},
		}}}},
	} {
		if vars, err := Resolve(&c, source, expandTest); !errors.Is(err, away) || vars != nil {
			t.Errorf("%s: %v, %v", name, vars, err)
		}
	}
	for _, err := range []error{NotFound("configmap", "x"), fmt.Errorf("of pod p: %w", NotFound("secret", "y"))} {
		if !errors.Is(err, ErrNotFound) || errors.Is(err, away) {
			t.Errorf("%v is not ErrNotFound", err)
		}
	}
}

func TestRefers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		c    corev1.Container
		want bool
	}{
		"nothing":         {corev1.Container{}, false},
		"values":          {corev1.Container{Env: []corev1.EnvVar{{Name: "A", Value: "$(B)"}, {Name: "B"}}}, false},
		"the last of two": {corev1.Container{Env: []corev1.EnvVar{{Name: "A"}, {Name: "B", ValueFrom: &corev1.EnvVarSource{}}}}, true},
		"all of one":      {corev1.Container{EnvFrom: []corev1.EnvFromSource{{}}}, true},
	} {
		if got := Refers(&tc.c); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Each name is there once, and twice the same question has the same answer.
func TestResolveNames(t *testing.T) {
	t.Parallel()
	c := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{{Prefix: "O", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}, {}},
		Env:     []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)"}, {Name: "A", Value: "2$(B)"}, {Name: "WEB_SERVICE_HOST"}, {Name: "B", Value: "$(A)"}},
	}
	want := "[{Oa secret} {Ok hid$(a)den} {A 21} {B 21} {WEB_SERVICE_HOST } {OWN service}]"
	for range 5 {
		vars, err := Resolve(c, testSource(&corev1.Pod{}), expandTest)
		if got := fmt.Sprint(vars); err != nil || got != want {
			t.Fatalf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	const cmRef = `{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"a"}}}`
	tests := []struct{ name, container, want string }{
		{"plain", `"env":[{"name":"A","value":"x"},{"name":"B","value":"$(A)$(LATER)"},{"name":"LATER","value":"l"}]`, "A=x B=x$(LATER) LATER=l"},
		{"a value that refers to a service", `"env":[{"name":"A","value":"$(WEB_SERVICE_HOST)"}]`, "A=10.0.0.1"},
		{"a service's variable replaced", `"env":[{"name":"OWN","value":"mine"}]`, "OWN=mine WEB_SERVICE_HOST=10.0.0.1"},
		{"empty value", `"env":[{"name":"A"}]`, "A="},
		{"a key", `"env":[` + cmRef + `]`, "A=one"},
		{"keys are not expanded", `"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}},{"name":"B","value":"<$(A)>"}]`, "A=hid$(a)den B=<hid$(a)den>"},
		{"all of a config map", `"envFrom":[{"configMapRef":{"name":"cm"}}]`, "1-x=odd a=one b.c=$(a)"},
		{"prefix", `"envFrom":[{"prefix":"P_","secretRef":{"name":"s"}}]`, "P_a=secret P_k=hid$(a)den"},
		{"later sources win", `"envFrom":[{"configMapRef":{"name":"cm"}},{"secretRef":{"name":"s"}}]`, "1-x=odd a=secret b.c=$(a) k=hid$(a)den"},
		{"env wins over envFrom and may refer to it", `"envFrom":[{"configMapRef":{"name":"cm"}}],"env":[{"name":"B","value":"$(a)"},{"name":"a","value":"new"}]`, "1-x=odd a=new b.c=$(a) B=one"},
		{"missing config map", `"envFrom":[{"configMapRef":{"name":"x"}}]`, `error: configmap "x" not found`},
		{"missing secret", `"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"x","key":"k"}}}]`, `error: secret "x" not found`},
		{"missing key", `"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"x"}}}]`, `error: couldn't find key x in ConfigMap ns/cm`},
		{"missing key of a secret", `"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"x"}}}]`, `error: couldn't find key x in Secret ns/s`},
		{"binary data is no variable", `"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"bin"}}}]`, `error: couldn't find key bin in ConfigMap ns/cm`},
		{"optional", `"envFrom":[{"configMapRef":{"name":"x","optional":true}},{"secretRef":{"name":"x","optional":true}}],` +
			`"env":[{"name":"A","value":"stays"},{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"x","optional":true}}},{"name":"B","valueFrom":{"configMapKeyRef":{"name":"x","key":"x","optional":true}}}]`, "A=stays"},
		{
			"fields", `"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"metadata.namespace"}}},` +
				`{"name":"C","valueFrom":{"fieldRef":{"fieldPath":"metadata.uid"}}},{"name":"D","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},` +
				`{"name":"E","valueFrom":{"fieldRef":{"fieldPath":"spec.serviceAccountName"}}},{"name":"F","valueFrom":{"fieldRef":{"fieldPath":"status.hostIP"}}},` +
				`{"name":"G","valueFrom":{"fieldRef":{"fieldPath":"status.podIPs"}}},{"name":"H","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app.io/x']"}}},` +
				`{"name":"I","valueFrom":{"fieldRef":{"fieldPath":"metadata.annotations['none']"}}},{"name":"J","valueFrom":{"fieldRef":{"fieldPath":"status.hostIPs"}}},{"name":"K","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]`,
			"A=p B=ns C=uid D=node E=default F=192.0.2.1 G=10.0.0.9,fd00::9 H=web I= J=192.0.2.1,fd01::1 K=10.0.0.9",
		},
		{
			"resources", `"resources":{"limits":{"cpu":"1500m"},"requests":{"memory":"10Mi"}},"env":[` +
				`{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},{"name":"B","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"1m"}}},` +
				`{"name":"C","valueFrom":{"resourceFieldRef":{"resource":"requests.memory","divisor":"1Mi"}}},{"name":"D","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1M"}}},` +
				`{"name":"E","valueFrom":{"resourceFieldRef":{"resource":"requests.cpu"}}},{"name":"F","valueFrom":{"resourceFieldRef":{"containerName":"other","resource":"limits.memory","divisor":"1Ki"}}}]`,
			"A=2 B=1500 C=10 D=1000 E=0 F=3",
		},
		{"resources of nobody", `"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"containerName":"nobody","resource":"limits.cpu"}}}]`, "error: container nobody not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &corev1.Pod{}
			text := `{"metadata":{"name":"p","namespace":"ns","uid":"uid","labels":{"app.io/x":"web"}},"spec":{"nodeName":"node","containers":[{"name":"c",` + tt.container +
				`},{"name":"other","resources":{"limits":{"memory":"2050"}}}]},"status":{"hostIP":"192.0.2.1","hostIPs":[{"ip":"192.0.2.1"},{"ip":"fd01::1"}],"podIP":"10.0.0.9","podIPs":[{"ip":"10.0.0.9"},{"ip":"fd00::9"}]}}`
			if err := json.UnmarshalCaseSensitivePreserveInts([]byte(text), p); err != nil {
				t.Fatal(err)
			}
			vars, err := Resolve(&p.Spec.Containers[0], testSource(p), expandTest)
			var list []string
			for _, v := range vars {
				list = append(list, v.Name+"="+v.Value)
			}
			got := strings.Join(list, " ")
			if err != nil {
				got = "error: " + err.Error()
			}
			for _, services := range []string{" WEB_SERVICE_HOST=10.0.0.1 OWN=service", " WEB_SERVICE_HOST=10.0.0.1"} {
				if rest, ok := strings.CutSuffix(got, services); ok && !strings.HasSuffix(tt.want, services) {
					got = rest
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

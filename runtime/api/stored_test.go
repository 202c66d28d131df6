package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"podd/runtime/api/apitest"
	"podd/runtime/manifest"
)

const storedYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: old}
spec: {maxReplicas: 2}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: new}
spec: {maxReplicas: 2}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
---
apiVersion: v1
kind: Node
metadata: {name: other}
---
apiVersion: example.com/v1
kind: Wolf
metadata: {name: grey}
---
apiVersion: example.com/v1
kind: Sheep
metadata: {name: black}
---
apiVersion: example.com/v1
kind: Sheep
metadata: {name: white, namespace: shop}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wolves.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: wolves, singular: wolf, kind: Wolf, shortNames: [wf]}
  versions: [{name: v1alpha1, served: true}, {name: v1, served: true, storage: true}]
`

func storedFake(t *testing.T) *apitest.Fake {
	t.Helper()
	f := apitest.New()
	objects, problems := manifest.Parse("stored.yaml", []byte(storedYAML))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := range objects {
		f.PutObject(objects[i].Kind, objects[i].Value)
	}
	return f
}

// What podd stores and does not act on is served like all else, and said to be that.
func TestStoredKinds(t *testing.T) {
	c := dial(t, storedFake(t))
	const table = "application/json;as=Table;g=meta.k8s.io;v=v1"
	for _, tt := range []struct {
		path, accept string
		code         int
		want, not    string // words apart by |
	}{
		{"/apis", "", 200, `"networking.k8s.io/v1"|"autoscaling/v1"|"example.com/v1"|"scheduling.k8s.io/v1"`, ""},
		{"/apis/apps", "", 200, `"kind":"APIGroup"|"name":"apps"|"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}`, "batch"},
		{"/apis/autoscaling", "", 200, `"versions":[{"groupVersion":"autoscaling/v2","version":"v2"},{"groupVersion":"autoscaling/v1","version":"v1"}]`, ""},
		{"/apis/example.com", "", 200, `"name":"example.com"`, ""},
		{"/apis/nobody.example.com", "", 404, "the server could not find the requested resource", ""},
		{"/apis/example.com/v1", "", 200, `"wolves"|"wf"|"sheeps"|"stored"`, ""},
		{"/apis/networking.k8s.io/v1", "", 200, `"ingresses"|"ing"|"networkpolicies"`, ""},
		{"/api/v1", "", 200, `"limitranges"`, ""},
		{"/apis/networking.k8s.io/v1/ingresses", "", 200, `"front"|"defaultBackend"|IngressList`, ""},
		{"/apis/networking.k8s.io/v1/namespaces/default/ingresses", "", 200, `"items":[]`, "front"},
		{"/apis/networking.k8s.io/v1/namespaces/shop/ingresses/front", "", 200, `"kind":"Ingress"|"apiVersion":"networking.k8s.io/v1"`, ""},
		{"/apis/networking.k8s.io/v1/namespaces/shop/ingresses/none", "", 404, `ingresses.networking.k8s.io \"none\" not found`, ""},
		{"/apis/networking.k8s.io/v1/namespaces/shop/ingresses", table, 200, "stored, not acted on", ""},
		{"/apis/networking.k8s.io/v1/ingressclasses", "", 200, `"items":[]`, ""},
		{"/apis/networking.k8s.io/v1/namespaces/shop/ingressclasses", "", 404, "", ""},
		{"/apis/autoscaling/v2/horizontalpodautoscalers", "", 200, `"old"|"new"|"apiVersion":"autoscaling/v1"|"apiVersion":"autoscaling/v2"`, ""},
		{"/apis/autoscaling/v1/horizontalpodautoscalers", "", 200, `"old"`, ""},
		{"/api/v1/namespaces/default/limitranges/limits", "", 200, `"kind":"LimitRange"`, ""},
		{"/apis/example.com/v1/namespaces/default/wolves/grey", "", 200, `"kind":"Wolf"`, ""},
		// Somebody writes a namespace of this kind, so that all of it have one.
		{"/apis/example.com/v1/namespaces/default/sheeps", "", 200, `"black"|"namespace":"default"`, "white"},
		{"/apis/example.com/v1/sheeps", "", 200, `"black"|"white"`, ""},
		{"/apis/example.com/v1/goats", "", 404, "", ""},
		{"/apis/example.com/v2/wolves", "", 404, "", ""},
		{"/api/v1/namespaces", "", 200, `"shop"`, ""},
		{"/api/v1/nodes", "", 200, `"board"`, "other"},
	} {
		code, body := ask(t, c, "GET", tt.path, tt.accept, nil)
		text := strings.ReplaceAll(body, `": `, `":`)
		if code != tt.code {
			t.Errorf("%s: %d %s", tt.path, code, text)
			continue
		}
		for word := range strings.SplitSeq(tt.want, "|") {
			if !strings.Contains(text, word) {
				t.Errorf("%s: no %s in %s", tt.path, word, text)
			}
		}
		if tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%s: %s in %s", tt.path, tt.not, text)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON: %s", tt.path, text)
		}
	}
}

func TestStoredKindsByKubectl(t *testing.T) {
	run := kubectl(t, storedFake(t))
	for args, want := range map[string][]string{
		"get ingress -A":                 {"shop", "front", "stored, not acted on"},
		"get hpa":                        {"old", "new"},
		"get wolves.example.com -o name": {"wolf.example.com/grey"},
		"get wf":                         {"grey"},
		"get stored -A -o name":          {"ingress.networking.k8s.io/front", "limitrange/limits", "sheep.example.com/black"},
		"get ing front -n shop -o yaml":  {"defaultBackend"},
	} {
		out, code := run("", strings.Fields(args)...)
		for _, w := range want {
			if code != 0 || !strings.Contains(out, w) {
				t.Errorf("kubectl %s: %d %s, want %s", args, code, out, w)
			}
		}
	}
}

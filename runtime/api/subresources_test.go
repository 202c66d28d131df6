package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/apitest"
)

// send makes one request with a body of a media type.
func send(t *testing.T, c *http.Client, method, path, media, body string) (int, string) {
	t.Helper()
	code, _, answer := sendAs(t, c, method, path, media, body)
	return code, answer
}

const (
	merge     = "application/merge-patch+json"
	strategic = "application/strategic-merge-patch+json"
)

// Of a pod's status conditions can be set, and nothing else: those of others, with a status that there is. What is refused
// changes nothing and says which field it is.
func TestPatchStatus(t *testing.T) {
	const path = "/api/v1/namespaces/default/pods/a/status"
	const good = `{"status":{"conditions":[{"type":"a.example/up","status":"True"}]}}`
	for _, tc := range []struct {
		name, media, body string
		code              int
		says              string
	}{
		{"merge", merge, good, 200, `"type":"a.example/up"`},
		{"strategic", strategic, good, 200, `"type":"a.example/up"`},
		{"strategic, with a charset", strategic + "; charset=utf-8", good, 200, ""},
		{"what names the object", merge, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},` + good[1:], 200, ""},
		{"a JSON patch", "application/json-patch+json", `[]`, 415, "the body of the request was in an unknown format"},
		{"no media type", "", good, 415, ""},
		{"no JSON", merge, `{`, 400, "cannot read the patch"},
		{"nothing", merge, ``, 400, "cannot read the patch"},
		{"its spec", merge, `{"spec":{},` + good[1:], 400, "spec cannot be changed here: a pod changes with its file"},
		{"no status", merge, `{}`, 400, "only status.conditions can be set"},
		{"its phase", merge, `{"status":{"phase":"Failed","conditions":[]}}`, 400, "status.phase is podd's to say"},
		{"no conditions", merge, `{"status":{"conditions":[]}}`, 400, "the patch has no status.conditions"},
		{"conditions that are none", merge, `{"status":{"conditions":{"up":true}}}`, 400, "the patch has no status.conditions"},
		{"a type that is no name", merge, `{"status":{"conditions":[{"type":"not a name","status":"True"}]}}`, 400, `Invalid value: \"not a name\"`},
		{"one of podd's own", merge, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, 400, "condition Ready is podd's to say"},
		{"another of podd's own", merge, `{"status":{"conditions":[{"type":"podd.dev/ManifestAccepted","status":"True"}]}}`, 400, "is podd's to say"},
		{"a status that there is not", merge, `{"status":{"conditions":[{"type":"a.example/up","status":"Yes"}]}}`, 400, `supported values: \"False\", \"True\", \"Unknown\"`},
		{"one good and one bad", merge, `{"status":{"conditions":[{"type":"a.example/up","status":"True"},{"type":"b.example/up","status":""}]}}`, 400, "Unsupported value"},
	} {
		f := apitest.New(apitest.Pod("a"))
		c := dial(t, f)
		code, body := send(t, c, http.MethodPatch, path, tc.media, tc.body)
		if code != tc.code || !strings.Contains(body, tc.says) {
			t.Errorf("%s: %d %s", tc.name, code, body)
		}
		pods, _ := f.Pods()
		set := false
		for _, c := range pods[0].Status.Conditions {
			set = set || strings.Contains(string(c.Type), "example")
		}
		if set != (tc.code == 200) {
			t.Errorf("%s: the condition is set: %t", tc.name, set)
		}
	}
	c := dial(t, apitest.New())
	if code, body := send(t, c, http.MethodPatch, path, merge, good); code != 404 || !strings.Contains(body, `pods \"a\" not found`) {
		t.Errorf("of a pod that is not there: %d %s", code, body)
	}
}

// Every subresource that writes refuses a pod whose manifest was refused, one that is not there, and what it cannot read.
func TestSubresourcesOfPods(t *testing.T) {
	const root = "/api/v1/namespaces/default/pods/"
	const debug = `{"spec":{"ephemeralContainers":[{"name":"debug","image":"tools","targetContainerName":"app"}]}}`
	const eviction = `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"a"}}`
	for _, tc := range []struct {
		method, path, media, body string
		code                      int
		says                      string
	}{
		{"PATCH", "a/ephemeralcontainers", strategic, debug, 200, `"name":"debug"`},
		{"PATCH", "a/ephemeralcontainers", merge, debug, 415, "unknown format"},
		{"PATCH", "a/ephemeralcontainers", strategic, `{`, 400, ""},
		{"PATCH", "none/ephemeralcontainers", strategic, debug, 404, `pods \"none\" not found`},
		{"PATCH", "bad/ephemeralcontainers", strategic, debug, 400, "its manifest was refused"},
		{"POST", "a/eviction", "application/json", eviction, 201, "Success"},
		{"POST", "a/eviction", "application/json", `{`, 400, ""},
		{"POST", "none/eviction", "application/json", eviction, 404, "not found"},
		{"POST", "bad/eviction", "application/json", eviction, 400, "its manifest was refused"},
		{"DELETE", "a", "application/json", `{"gracePeriodSeconds":"soon"}`, 400, "cannot read the delete options"},
		{"DELETE", "none", "application/json", ``, 404, "not found"},
		{"DELETE", "a", "application/json", ``, 200, `"kind":"Pod"`},
		{"PUT", "a", "application/json", `{}`, 405, "change its file"},
		{"PATCH", "a", merge, `{}`, 405, "change its file"},
		{"PATCH", "a/resize", merge, `{}`, 405, "change the file"},
		{"POST", "a/binding", "application/json", `{}`, 405, "needs no scheduler"},
	} {
		c := dial(t, apitest.New(apitest.Pod("a"), apitest.Refused("bad", "bad.yaml: line 3: no")))
		code, body := send(t, c, tc.method, root+tc.path, tc.media, tc.body)
		if code != tc.code || !strings.Contains(strings.ReplaceAll(body, `": `, `":`), tc.says) {
			t.Errorf("%s %s as %s: %d %s, want %d %s", tc.method, tc.path, tc.media, code, body, tc.code, tc.says)
		}
		if code < 400 {
			continue
		}
		var status metav1.Status
		if err := json.Unmarshal([]byte(body), &status); err != nil || (status.Kind != "Status" || int(status.Code) != code || status.Reason == "") {
			t.Errorf("%s %s: the refusal is no Status: %s", tc.method, tc.path, body)
		}
	}
}

// A list or a watch that asks for what cannot be is refused before it begins, in the API server's words.
func TestBadQueries(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	for i := range 20 { // more than what is remembered
		f.Put(apitest.Pod("a", func(p *corev1.Pod) { p.Labels["round"] = string(rune('a' + i)) }))
	}
	c := dial(t, f)
	for query, want := range map[string]struct {
		code int
		says string
	}{
		"labelSelector=app%20in":                                         {400, "found '' expected: '('"},
		"labelSelector=a=b=c":                                            {400, ""},
		"labelSelector=!":                                                {400, ""},
		"fieldSelector=spec.hostname%3Dx":                                {400, "field label not supported: spec.hostname"},
		"fieldSelector=metadata.name":                                    {400, "invalid selector"},
		"watch=1&resourceVersion=now":                                    {400, `invalid resource version \"now\"`},
		"watch=1&resourceVersion=-1":                                     {400, "invalid resource version"},
		"watch=1&resourceVersion=1":                                      {410, ""},
		"watch=true&sendInitialEvents=true":                              {400, "resourceVersionMatch=NotOlderThan"},
		"watch=1&sendInitialEvents=true&resourceVersionMatch=Exact":      {400, "resourceVersionMatch=NotOlderThan"},
		"watch=1&fieldSelector=nothing%3Dx":                              {400, "field label not supported"},
		"watch=0&resourceVersion=now":                                    {200, `"items"`},
		"watch=1&timeoutSeconds=1&resourceVersion=120&labelSelector=a=b": {200, ""},
	} {
		code, body := ask(t, c, "GET", "/api/v1/pods?"+query, "application/json", nil)
		if code != want.code || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %s, want %d %s", query, code, body, want.code, want.says)
		}
	}
}

package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
)

const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

// ask makes one request over a socket.
func ask(t *testing.T, c *http.Client, method, path, accept string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://podd"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func get(t *testing.T, c *http.Client, path string, v any) {
	t.Helper()
	code, b := ask(t, c, "GET", path, "application/json", nil)
	if code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, code, b)
	}
	if err := json.Unmarshal([]byte(b), v); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

func dial(t *testing.T, b api.Backend) *http.Client {
	return apitest.Client(t, apitest.Serve(t, b))
}

func TestListPods(t *testing.T) {
	f := apitest.New(apitest.Pod("b"), apitest.Pod("a"), apitest.Pod("c", func(p *corev1.Pod) {
		p.Namespace = "other"
		p.Status.Phase = corev1.PodFailed
	}))
	c := dial(t, f)
	tests := []struct{ path, want string }{
		{"/api/v1/pods", "a b c"},
		{"/api/v1/namespaces/default/pods", "a b"},
		{"/api/v1/namespaces/other/pods", "c"},
		{"/api/v1/namespaces/nothing/pods", ""},
		{"/api/v1/pods?limit=1", "a b c"},
		{"/api/v1/pods?labelSelector=app%3Da", "a"},
		{"/api/v1/pods?labelSelector=app%20in%20(a,c)", "a c"},
		{"/api/v1/pods?fieldSelector=metadata.name%3Dc", "c"},
		{"/api/v1/pods?fieldSelector=status.phase%3DRunning,metadata.name!%3Da", "b"},
		{"/api/v1/pods?fieldSelector=metadata.namespace%3Dother", "c"},
		{"/api/v1/pods?fieldSelector=spec.nodeName%3Dboard", "a b c"},
		{"/api/v1/pods?fieldSelector=spec.nodeName%3Delsewhere", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			var l corev1.PodList
			get(t, c, tt.path, &l)
			var names []string
			for _, p := range l.Items {
				names = append(names, p.Name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if l.Kind != "PodList" || l.APIVersion != "v1" || l.ResourceVersion != "103" {
				t.Errorf("list is %s %s at %s", l.APIVersion, l.Kind, l.ResourceVersion)
			}
		})
	}
}

func TestListOfNoneHasItems(t *testing.T) {
	_, b := ask(t, dial(t, apitest.New()), "GET", "/api/v1/pods", "application/json", nil)
	if !strings.Contains(b, `"items":[]`) {
		t.Errorf("got %s", b)
	}
}

func TestGetPod(t *testing.T) {
	c := dial(t, apitest.New(apitest.Pod("a")))
	for _, path := range []string{"/api/v1/namespaces/default/pods/a", "/api/v1/namespaces/default/pods/a/status"} {
		var p corev1.Pod
		get(t, c, path, &p)
		if p.Kind != "Pod" || p.APIVersion != "v1" || p.Name != "a" || p.ResourceVersion != "101" {
			t.Errorf("got %+v", p.TypeMeta)
		}
	}
}

func TestTable(t *testing.T) {
	c := dial(t, apitest.New(apitest.Pod("a")))
	tests := []struct{ query, kind, name string }{
		{"", "PartialObjectMetadata", "a"},
		{"?includeObject=Metadata", "PartialObjectMetadata", "a"},
		{"?includeObject=Object", "Pod", "a"},
		{"?includeObject=None", "", ""},
	}
	for _, tt := range tests {
		_, b := ask(t, c, "GET", "/api/v1/pods"+tt.query, asTable, nil)
		var table metav1.Table
		if err := json.Unmarshal([]byte(b), &table); err != nil {
			t.Fatal(err)
		}
		var o metav1.PartialObjectMetadata
		if raw := table.Rows[0].Object.Raw; string(raw) != "null" && raw != nil {
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
		}
		if o.Kind != tt.kind || o.Name != tt.name {
			t.Errorf("%s: object is %s %q", tt.query, o.Kind, o.Name)
		}
		if table.Kind != "Table" || table.APIVersion != "meta.k8s.io/v1" || len(table.ColumnDefinitions) != len(table.Rows[0].Cells) {
			t.Errorf("%s: got %s", tt.query, b)
		}
	}
}

// Clients that list other forms first get the first one that podd speaks.
func TestAccept(t *testing.T) {
	c := dial(t, apitest.New(apitest.Pod("a")))
	tests := []struct{ accept, kind string }{
		{"application/vnd.kubernetes.protobuf,application/json", "PodList"},
		{"application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "PodList"},
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "Table"},
		{"application/json,application/json;as=Table;v=v1;g=meta.k8s.io", "PodList"},
		{"*/*", "PodList"},
		{"text/html;;;", "PodList"},
		{"", "PodList"},
	}
	for _, tt := range tests {
		_, b := ask(t, c, "GET", "/api/v1/pods", tt.accept, nil)
		var m metav1.TypeMeta
		if err := json.Unmarshal([]byte(b), &m); err != nil || m.Kind != tt.kind {
			t.Errorf("%q: got %q (%v), want %s", tt.accept, m.Kind, err, tt.kind)
		}
	}
}

func TestStatusErrors(t *testing.T) {
	c := dial(t, apitest.New(apitest.Pod("a"), apitest.Pod("file")))
	q := url.QueryEscape
	tests := []struct {
		request string
		code    int
		reason  metav1.StatusReason
		message string
	}{
		{"GET /api/v1/namespaces/default/pods/x", 404, "NotFound", `pods "x" not found`},
		{"GET /api/v1/namespaces/other/pods/a", 404, "NotFound", `pods "a" not found`},
		{"GET /api/v1/namespaces/other/pods/a/log", 404, "NotFound", `pods "a" not found`},
		{"GET /api/v1/namespaces/x", 404, "NotFound", `namespaces "x" not found`},
		{"GET /api/v1/nodes/x", 404, "NotFound", `nodes "x" not found`},
		{"GET /openapi/v3", 404, "NotFound", "the server could not find the requested resource"},
		{"GET /api/v1/pods?labelSelector=" + q("a==b==c"), 400, "BadRequest", "found '==', expected: ',' or 'end of string'"},
		{"GET /api/v1/pods?fieldSelector=" + q("spec.x=1"), 400, "BadRequest", "field label not supported: spec.x"},
		{"GET /api/v1/pods?watch=1&resourceVersion=abc", 400, "BadRequest", `invalid resource version "abc"`},
		{"GET /api/v1/pods?watch=1&resourceVersion=7", 410, "Expired", "too old resource version"},
		{"GET /api/v1/pods?watch=1&resourceVersion=999", 410, "Expired", "too old resource version"},
		{"POST /api/v1/namespaces/default/pods", 405, "MethodNotAllowed", "podd takes its pods from the files of its manifest folder: to change one, change its file"},
		{"POST /api/v1/namespaces/default/pods/a/eviction", 400, "BadRequest", "cannot read the eviction: unexpected end of JSON input"},
		{"PATCH /api/v1/namespaces/default/pods/a/resize", 405, "MethodNotAllowed", "podd takes the resources of a pod from its file, and changes them in place: change the file"},
		{"POST /api/v1/namespaces/default/serviceaccounts/a/token", 405, "MethodNotAllowed", "podd gives tokens to pods alone: as a projected volume (serviceAccountToken)"},
		{"POST /api/v1/namespaces/default/pods/a/nothing", 404, "NotFound", "the server could not find the requested resource"},
		{"POST /api/v1/nothings", 404, "NotFound", "the server could not find the requested resource"},
		{"DELETE /api/v1/namespaces/default/nothings/a", 404, "NotFound", "the server could not find the requested resource"},
		{"POST /apis/apps/v1/namespaces/default/nothings", 404, "NotFound", "the server could not find the requested resource"},
		{"PUT /api/v1/namespaces/default/finalize", 405, "MethodNotAllowed", "a namespace of podd is there while a file names it"},
		{"DELETE /api/v1/namespaces/default/services/a", 405, "MethodNotAllowed", "podd takes its objects from the files of its manifest folder: to change one, change its file"},
		{"PUT /api/v1/namespaces/default", 405, "MethodNotAllowed", "podd takes its objects from the files of its manifest folder: to change one, change its file"},
		{"POST /apis/nobody.example/v1/things", 404, "NotFound", "the server could not find the requested resource"},
		{"PUT /apis/apps/v1/namespaces/default/deployments/a/status", 405, "MethodNotAllowed", "the status of an object is podd's own; that of a pod takes conditions as a PATCH"},
		{"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405, "MethodNotAllowed", "podd has no users: who may open its socket may do all, and who may open the socket of socketReadGroup may read"},
		{"PATCH /api/v1/namespaces/default/pods/a", 405, "MethodNotAllowed", "podd takes its pods from the files of its manifest folder: to change one, change its file"},
		{"DELETE /api/v1/namespaces/default/pods/x", 404, "NotFound", `pods "x" not found`},
		{"DELETE /api/v1/namespaces/default/pods/file", 400, "BadRequest", `pod "file" comes from a file: remove the file`},
		{"GET /api/v1/namespaces/default/pods/a/log?tailLines=-1", 422, "Invalid", `PodLogOptions "a" is invalid: tailLines: Invalid value: "-1": must be greater than or equal to 0`},
		{"GET /api/v1/namespaces/default/pods/a/log?container=x", 400, "BadRequest", "container x is not valid for pod a"},
		{"GET /api/v1/namespaces/default/pods/a/log?previous=true", 400, "BadRequest", `previous terminated container "app" in pod "a" not found`},
		{"GET /api/v1/namespaces/default/pods/a/exec?stdout=1", 400, "BadRequest", "you must specify at least one command for the container"},
		{"GET /api/v1/namespaces/default/pods/a/exec?command=ls&stdout=1", 400, "BadRequest", "exec needs a WebSocket with v5.channel.k8s.io or v4.channel.k8s.io, as kubectl 1.31 and later opens"},
		{"POST /api/v1/namespaces/default/pods/a/exec?command=ls&stdout=1", 400, "BadRequest", "exec needs a WebSocket with v5.channel.k8s.io or v4.channel.k8s.io, as kubectl 1.31 and later opens"},
		{"DELETE /podd/v1/images", 400, "BadRequest", "no image named: the request needs ?ref=NAME"},
		{"DELETE /podd/v1/images?ref=x", 404, "NotFound", `images "x" not found`},
	}
	for _, tt := range tests {
		t.Run(tt.request, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.request, " ")
			code, b := ask(t, c, method, path, "application/json", nil)
			var s metav1.Status
			if err := json.Unmarshal([]byte(b), &s); err != nil {
				t.Fatalf("%v in %s", err, b)
			}
			if code != tt.code || int(s.Code) != tt.code || s.Reason != tt.reason || s.Message != tt.message || s.Kind != "Status" || s.Status != "Failure" {
				t.Errorf("got %d %s", code, b)
			}
		})
	}
}

func TestDeletePod(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	c := dial(t, f)
	code, b := ask(t, c, "DELETE", "/api/v1/namespaces/default/pods/a", "application/json", strings.NewReader(`{"gracePeriodSeconds":0}`))
	if code != http.StatusOK || !strings.Contains(b, `"kind":"Pod"`) {
		t.Errorf("got %d %s", code, b)
	}
	if list, _ := f.Pods(); len(list) != 0 {
		t.Error("the pod is still there")
	}
}

func TestDiscovery(t *testing.T) {
	c := dial(t, apitest.New())
	for path, kind := range map[string]string{"/api": "APIVersions", "/apis": "APIGroupList", "/api/v1": "APIResourceList"} {
		var m metav1.TypeMeta
		get(t, c, path, &m)
		if m.Kind != kind {
			t.Errorf("%s is %q", path, m.Kind)
		}
	}
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		if code, b := ask(t, c, "GET", path, "*/*", nil); code != http.StatusOK || b != "ok" {
			t.Errorf("%s: %d %q", path, code, b)
		}
	}
	var v struct{ Major, Minor string }
	get(t, c, "/version", &v)
	if v.Major != "1" || v.Minor == "" {
		t.Errorf("version %+v", v)
	}
}

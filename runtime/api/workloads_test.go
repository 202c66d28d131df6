package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/body"
)

// hand notes what is set by hand, and refuses what it is told to.
type hand struct {
	*apitest.Fake
	refuse string // a word of what is refused

	mu  sync.Mutex
	did []string // what was set, and with "dry" before it what was judged alone
}

func (h *hand) note(dry bool, format string, args ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	did := fmt.Sprintf(format, args...)
	if h.refuse != "" && strings.Contains(did, h.refuse) {
		return api.AsInvalid(errors.New("refused: " + did))
	}
	if dry {
		did = "dry " + did
	}
	h.did = append(h.did, did)
	return nil
}

func (h *hand) SetWorkload(_ context.Context, o api.WorkloadName, c *api.WorkloadChange) error {
	version := ""
	if c.Version != "" {
		version = " of " + c.Version
	}
	return h.note(c.DryRun, "%s/%s %s=%v%s", strings.ToLower(o.Kind), o.Name, c.Path, c.Value, version)
}

func (h *hand) RestartWorkload(_ context.Context, o api.WorkloadName, dry bool) error {
	return h.note(dry, "%s/%s restart", strings.ToLower(o.Kind), o.Name)
}

func (h *hand) UndoWorkload(_ context.Context, o api.WorkloadName, to *api.WorkloadUndo) (string, error) {
	what := fmt.Sprint(to.Revision)
	if to.Template != nil {
		what = "image " + to.Template.Spec.Containers[0].Image
	}
	return "rolled back", h.note(to.DryRun, "%s/%s undo %s", strings.ToLower(o.Kind), o.Name, what)
}

// workloads is a backend with one workload of each kind that can be scaled, and a Job.
func workloads() *hand {
	h := &hand{Fake: apitest.New()}
	meta := metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "uid"}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	h.PutObject("Deployment", &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)), Selector: selector}, Status: appsv1.DeploymentStatus{Replicas: 2}})
	h.PutObject("ReplicaSet", &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(3)), Selector: selector}, Status: appsv1.ReplicaSetStatus{Replicas: 2}})
	h.PutObject("StatefulSet", &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), Selector: selector}, Status: appsv1.StatefulSetStatus{Replicas: 2}})
	h.PutObject("ReplicationController", &corev1.ReplicationController{ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Replicas: new(int32(3)), Selector: selector.MatchLabels}, Status: corev1.ReplicationControllerStatus{Replicas: 2}})
	return h
}

// sendAs makes a request with a body of a media type, and returns the answer's code, warnings and body.
func sendAs(t *testing.T, c *http.Client, method, path, media, text string) (int, string, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://podd"+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.Join(resp.Header.Values("Warning"), " "), string(b)
}

// The scale of a workload is a Scale of autoscaling/v1, of those kinds that have replicas.
func TestGetScale(t *testing.T) {
	c := dial(t, workloads())
	for _, path := range []string{"/apis/apps/v1/namespaces/default/deployments", "/apis/apps/v1/namespaces/default/replicasets", "/apis/apps/v1/namespaces/default/statefulsets", "/api/v1/namespaces/default/replicationcontrollers"} {
		var s api.Scale
		get(t, c, path+"/web/scale", &s)
		if s.Kind != "Scale" || s.APIVersion != "autoscaling/v1" || s.Name != "web" || s.Namespace != "default" || s.UID != "uid" || s.ResourceVersion == "" ||
			s.Spec.Replicas != 3 || s.Status.Replicas != 2 || s.Status.Selector != "app=web" {
			t.Errorf("%s: %+v", path, s)
		}
		if code, b := ask(t, c, "GET", path+"/nothing/scale", "", nil); code != http.StatusNotFound {
			t.Errorf("%s of none: %d %s", path, code, b)
		}
	}
	if code, b := ask(t, c, "GET", "/apis/batch/v1/namespaces/default/jobs/web/scale", "", nil); code != http.StatusNotFound {
		t.Errorf("the scale of a Job: %d %s", code, b)
	}
}

// What is set of a scale: that of a PUT is whole, and left out stands for none; a PATCH without replicas changes nothing.
func TestSetScale(t *testing.T) {
	const path = "/apis/apps/v1/namespaces/default/deployments/web/scale"
	for _, c := range []struct {
		name, method, query, text string
		code                      int
		did                       string
		shows                     int32
	}{
		{"kubectl scale", "PATCH", "", `{"spec":{"replicas":5}}`, 200, "deployment/web spec.replicas=5", 5},
		{"to none", "PATCH", "", `{"spec":{"replicas":0}}`, 200, "deployment/web spec.replicas=0", 0},
		{"a patch of something else", "PATCH", "", `{"metadata":{"labels":{"a":"b"}}}`, 200, "", 3},
		{"an empty patch", "PATCH", "", `{}`, 200, "", 3},
		{"a whole scale", "PUT", "", `{"kind":"Scale","metadata":{"name":"web"},"spec":{"replicas":1}}`, 200, "deployment/web spec.replicas=1", 1},
		{"a whole scale of none", "PUT", "", `{"kind":"Scale","metadata":{"name":"web"},"spec":{}}`, 200, "deployment/web spec.replicas=0", 0},
		{"of a version", "PUT", "", `{"metadata":{"resourceVersion":"7"},"spec":{"replicas":1}}`, 200, "deployment/web spec.replicas=1 of 7", 1},
		{"judged alone", "PATCH", "?dryRun=All", `{"spec":{"replicas":5}}`, 200, "dry deployment/web spec.replicas=5", 5},
		{"judged how", "PATCH", "?dryRun=Some", `{"spec":{"replicas":5}}`, 400, "", 0},
		{"refused", "PATCH", "", `{"spec":{"replicas":99}}`, 422, "", 0},
		{"a word", "PATCH", "", `{"spec":{"replicas":"many"}}`, 400, "", 0},
		{"too many for a number", "PUT", "", `{"spec":{"replicas":2147483648}}`, 400, "", 0},
		{"nothing", "PUT", "", ``, 400, "", 0},
	} {
		h := workloads()
		h.refuse = "=99"
		code, warning, b := sendAs(t, dial(t, h), c.method, path+c.query, body.MergePatch, c.text)
		if code != c.code || strings.Join(h.did, ", ") != c.did {
			t.Errorf("%s: %d %s; did %q, want %d, %q", c.name, code, b, h.did, c.code, c.did)
		}
		if code != 200 {
			continue
		}
		var s api.Scale
		if err := json.Unmarshal([]byte(b), &s); err != nil || s.Spec.Replicas != c.shows {
			t.Errorf("%s: answers %s, %v", c.name, b, err)
		}
		if warns := strings.Contains(warning, "holds until the file changes this field"); warns != (c.did != "") {
			t.Errorf("%s: warns %q", c.name, warning)
		}
	}
}

// A patch is carried out whole or not at all: what of it is refused is known before anything is set.
func TestPatchWorkload(t *testing.T) {
	const restart = `"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}`
	const template = `"template":{"$patch":"replace","metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"main","image":"old"}]}}`
	for _, c := range []struct {
		name, media, query, text string
		code                     int
		did                      string
	}{
		{"pause", body.StrategicPatch, "", `{"spec":{"paused":true}}`, 200, "dry deployment/web spec.paused=true, deployment/web spec.paused=true"},
		{"resume", body.StrategicPatch, "", `{"spec":{"paused":null}}`, 200, "dry deployment/web spec.paused=<nil>, deployment/web spec.paused=<nil>"},
		{"restart", body.StrategicPatch, "", `{"spec":{` + restart + `}}`, 200, "dry deployment/web restart, deployment/web restart"},
		{"undo", body.StrategicPatch, "", `{"spec":{` + template + `}}`, 200, "dry deployment/web undo image old, deployment/web undo image old"},
		{"two fields", body.MergePatch, "", `{"spec":{"replicas":2,"paused":true}}`, 200, "dry deployment/web spec.paused=true, dry deployment/web spec.replicas=2, deployment/web spec.paused=true, deployment/web spec.replicas=2"},
		{"one of two is refused", body.MergePatch, "", `{"spec":{"replicas":99,"paused":true}}`, 422, "dry deployment/web spec.paused=true"},
		{"judged alone", body.MergePatch, "?dryRun=All", `{"spec":{"paused":true}}`, 200, "dry deployment/web spec.paused=true"},
		{"as JSON", body.JSONPatch, "", `[{"op":"replace","path":"/spec/paused","value":true}]`, 200, "dry deployment/web spec.paused=true, deployment/web spec.paused=true"},
		{"of the file's", body.MergePatch, "", `{"spec":{"minReadySeconds":1}}`, 400, ""},
		{"another media type", "application/apply-patch+yaml", "", `{"spec":{"paused":true}}`, 415, ""},
		{"judged how", body.MergePatch, "?dryRun=no", `{"spec":{"paused":true}}`, 400, ""},
		{"no patch", body.MergePatch, "", `{`, 400, ""},
	} {
		h := workloads()
		h.refuse = "=99"
		code, warning, b := sendAs(t, dial(t, h), "PATCH", "/apis/apps/v1/namespaces/default/deployments/web"+c.query, c.media, c.text)
		if code != c.code || strings.Join(h.did, ", ") != c.did {
			t.Errorf("%s: %d %s; did %q, want %d, %q", c.name, code, b, h.did, c.code, c.did)
		}
		if (warning != "") != (code == 200) {
			t.Errorf("%s: warns %q", c.name, warning)
		}
		var d appsv1.Deployment
		if code == 200 && (json.Unmarshal([]byte(b), &d) != nil || d.Kind != "Deployment" || d.Name != "web") {
			t.Errorf("%s: answers %s", c.name, b)
		}
		if c.name == "judged alone" && !d.Spec.Paused {
			t.Errorf("%s: does not show what would be: %s", c.name, b)
		}
	}
}

// podd's own verbs of workloads.
func TestRestartAndUndo(t *testing.T) {
	const path = "/podd/v1/namespaces/default/"
	for _, c := range []struct {
		path string
		code int
		did  string
		said string
	}{
		{"deployments/web/restart", 200, "deployment/web restart", "restarted"},
		{"statefulsets/web/restart?dryRun=All", 200, "dry statefulset/web restart", "restarted"},
		{"deployments/web/restart?dryRun=x", 400, "", "dryRun"},
		{"deployments/web/undo?toRevision=3", 200, "deployment/web undo 3", "rolled back"},
		{"daemonsets/web/undo?toRevision=0&dryRun=All", 200, "dry daemonset/web undo 0", "rolled back"},
		{"deployments/web/undo?toRevision=-1", 400, "", "toRevision must be a number that is not negative"},
		{"deployments/web/undo?toRevision=x", 400, "", "toRevision must be a number that is not negative"},
		{"deployments/web/undo", 400, "", "toRevision must be a number that is not negative"},
		{"deployments/web/undo?toRevision=0&dryRun=x", 400, "", "dryRun"},
		{"deployments/web/undo?toRevision=99", 422, "", "refused"},
		{"configmaps/web/restart", 404, "", ""},
	} {
		h := workloads()
		h.refuse = "99"
		code, b := ask(t, dial(t, h), "POST", path+c.path, "", nil)
		if code != c.code || strings.Join(h.did, ", ") != c.did || !strings.Contains(b, c.said) {
			t.Errorf("%s: %d %s; did %q", c.path, code, b, h.did)
		}
	}
}

// What podd keeps of images, claims and tokens, as its own paths have it: answers and refusals.
func TestOwnPaths(t *testing.T) {
	f := apitest.New(apitest.Pod("web"))
	f.PutImage(api.ImageInfo{ID: "sha256:1", Names: []string{"app:1"}})
	c := dial(t, f)
	for _, tt := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/podd/v1/images/tar", 400, "no image named: the request needs ?ref=NAME"},
		{"GET", "/podd/v1/images/tar?ref=a&ref=b", 200, "archive of a b"},
		{"GET", "/podd/v1/images/tar?ref=nothing", 404, "nothing"},
		{"GET", "/podd/v1/images/layers?ref=app:1", 200, `"diffID":"sha256:base"`},
		{"GET", "/podd/v1/images/layers?ref=other:1", 404, `image \"other:1\" is not in the store`},
		{"POST", "/podd/v1/images/tag?ref=app:1&name=app:2", 200, `"docker.io/library/app:2"`},
		{"POST", "/podd/v1/images/tag?ref=nothing&name=app:2", 404, "nothing"},
		{"POST", "/podd/v1/images/pin?ref=app:1", 200, `"pinned-app:1"`},
		{"DELETE", "/podd/v1/images/pin?ref=app:1", 200, `"unpinned-app:1"`},
		{"DELETE", "/podd/v1/images/pin?ref=nothing", 404, "nothing"},
		{"POST", "/podd/v1/images/prune", 200, `{"removed":["sha256:nameless"],"freed":1500}`},
		{"POST", "/podd/v1/images/prune?all=true", 200, `"unused:1"`},
		{"POST", "/podd/v1/images/verify?ref=good", 200, `{"layer":"sha256:good","images":["a:1"]}`},
		{"POST", "/podd/v1/images/verify?repair=true", 200, `"mended":true`},
		{"POST", "/podd/v1/images/verify?ref=nothing", 404, "nothing"},
		{"GET", "/.well-known/openid-configuration", 200, `{"issuer":"https://here"}`},
		{"GET", "/openid/v1/jwks", 200, `{"keys":[]}`},
		{"DELETE", "/podd/v1/namespaces/default/persistentvolumeclaims/none", 404, "none"},
		{"GET", "/podd/v1/namespaces/default/persistentvolumeclaims/none/tar", 404, "none"},
		{"PUT", "/podd/v1/namespaces/default/persistentvolumeclaims/none/tar", 404, "none"},
	} {
		code, b := ask(t, c, tt.method, tt.path, "", nil)
		if code != tt.code || !strings.Contains(b, tt.want) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, code, b)
		}
	}
}

// A forwarded port: what is refused before anything is dialled, and the bytes of a connection in both directions.
func TestPortForward(t *testing.T) {
	f := apitest.New(apitest.Pod("web"))
	f.OnDial = func(_ context.Context, name string, port uint16) (net.Conn, error) {
		if port == 81 {
			return nil, api.AsConflict(errors.New("nothing listens on port 81"))
		}
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			b := make([]byte, 4)
			_, _ = io.ReadFull(far, b)
			fmt.Fprintf(far, "%s of %s:%d", b, name, port)
		}()
		return near, nil
	}
	socket := apitest.Serve(t, f)
	for _, c := range []struct {
		query, upgrade string
		want           string
	}{
		{"port=0", "podd-portforward/1", "400 port must be between 1 and 65535, inclusive"},
		{"port=65536", "podd-portforward/1", "400 port must be between 1 and 65535, inclusive"},
		{"", "podd-portforward/1", "400 port must be between 1 and 65535, inclusive"},
		{"port=80", "SPDY/3.1", "400 a forwarded port needs an upgrade to podd-portforward/1"},
		{"port=80", "", "400 a forwarded port needs an upgrade"},
		{"port=81", "podd-portforward/1", "409 nothing listens on port 81"},
		{"port=80", "podd-portforward/1", "101 ping of web:80"},
	} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /api/v1/namespaces/default/pods/web/portforward?%s HTTP/1.1\r\nHost: podd\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", c.query, c.upgrade)
		code, text, _ := strings.Cut(c.want, " ")
		if code == "101" {
			fmt.Fprint(conn, "ping")
		} else {
			_ = conn.(*net.UnixConn).CloseWrite()
		}
		b, _ := io.ReadAll(conn)
		_ = conn.Close()
		if got := string(b); !strings.HasPrefix(got, "HTTP/1.1 "+code) || !strings.Contains(got, text) {
			t.Errorf("%s, %q: %s, want %s", c.query, c.upgrade, got, c.want)
		}
	}
}

// What stands in the place of a socket: a dead daemon's is replaced, a living one's is not, and what is no socket is set
// aside. A folder that cannot be made says so.
func TestListenInThePlaceOfOthers(t *testing.T) {
	dir := t.TempDir()
	if _, err := api.Listen(filepath.Join("/dev/null", "podd.sock")); err == nil || !strings.Contains(err.Error(), "cannot make the folder of the socket") {
		t.Errorf("below a file: %v", err)
	}
	path := filepath.Join(dir, "deep", "podd.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Listen(path); !errors.Is(err, api.ErrInUse) {
		t.Errorf("while another serves: %v", err)
	}
	_ = l.Close()
	again, err := api.Listen(path)
	if err != nil {
		t.Fatalf("after another's death: %v", err)
	}
	_ = again.Close()
}

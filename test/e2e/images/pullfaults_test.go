package images

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
	"podd/images/registry/registrytest"
	"podd/test/harness"
	"podd/test/lab"
)

// listen opens a port of the loopback of a board.
func listen(b *harness.Board, address string) net.Listener {
	b.T.Helper()
	var l net.Listener
	b.Must(lab.InNetns(b.Netns(), func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	}))
	b.T.Cleanup(func() { _ = l.Close() })
	return l
}

// serveHTTP answers at a port of the loopback of a board.
func serveHTTP(b *harness.Board, handler http.Handler) (host string) {
	b.T.Helper()
	l := listen(b, "127.0.0.1:0")
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	b.T.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// Whatever a registry does, who looks at the pod with get, describe or the events sees the reason and one sentence that names the
// step and what can be done.
func TestFaultsOfRegistriesAreShown(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", config))
	reg := registrytest.New()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	answers := map[string]http.HandlerFunc{}
	reg.Before = func(w http.ResponseWriter, r *http.Request, what string) bool {
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if answer := answers[name+" "+what]; answer != nil && rest != "" {
			answer(w, r)
			return true
		}
		return false
	}
	host := serveHTTP(b, reg)
	const failed, away = "ErrImagePull", "RegistryUnavailable"
	type test struct {
		image  string // "": NAME:1 of the registry
		kind   string // of requests that are answered
		answer http.HandlerFunc
		reason string // "": InvalidImageName, at once
		says   []string
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>\nPlease log in!\n</html>")
	}
	tests := map[string]test{
		"upper-case": {host + "/App:1", "", nil, "", []string{"repository name must be lowercase"}},
		"spaces":     {"bad name", "", nil, "", []string{"a repository name has only"}},
		"address":    {"https://registry.example.com/app:1", "", nil, "", []string{"the registry must be host"}},
		"password":   {"https://me:geheim@registry.example.com/app:1", "", nil, "", []string{"https://***@registry.example.com/app:1"}},
		"no-name":    {"registry.invalid/app:1", "", nil, away, []string{"name at registry.invalid: the name registry.invalid has no address", "/etc/resolv.conf"}},
		"refused":    {"127.0.0.1:1/app:1", "", nil, away, []string{"connect at 127.0.0.1:1: ", "connection refused", "check the network"}},
		"s400":       {"", "manifests", status(400), failed, []string{"manifest at ", "400 Bad Request", "whether a registry answers there"}},
		"s401":       {"", "manifests", status(401), failed, []string{"auth at ", "401 Unauthorized", "imagePullSecrets"}},
		"s403":       {"", "manifests", status(403), failed, []string{"auth at ", "403 Forbidden", "imagePullSecrets"}},
		"s404":       {"", "", nil, failed, []string{"manifest at ", "404 Not Found, manifest unknown", "check the name and the tag"}},
		"s410":       {"", "manifests", status(410), failed, []string{"manifest at ", "410 Gone", "check the name and the tag"}},
		"s429":       {"", "manifests", status(429), away, []string{"manifest at ", "429 Too Many Requests", "higher limit"}},
		"s500":       {"", "manifests", status(500), away, []string{"manifest at ", "500 Internal Server Error", "tried again"}},
		"s503":       {"", "manifests", status(503), away, []string{"manifest at ", "503 Service Unavailable", "tried again"}},
		"page":       {"", "manifests", page, failed, []string{"manifest at ", "a web page and not with a manifest", "login page"}},
		"page503": {"", "manifests", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			page(w, r)
		}, away, []string{"503 Service Unavailable"}},
		"circle": {"", "manifests", func(w http.ResponseWriter, r *http.Request) { registrytest.Redirect(w, r, r.URL.String()) }, failed, []string{"manifest at ", "from one address to the next"}},
		"plain": {"", "manifests", func(w http.ResponseWriter, r *http.Request) {
			registrytest.Redirect(w, r, "http://registry.invalid/x?signature=secret")
		}, failed, []string{"manifest at ", "sends to registry.invalid without TLS"}},
		"login": {"", "manifests", func(w http.ResponseWriter, r *http.Request) { registrytest.Redirect(w, r, "/login") }, failed, []string{"manifest at ", "404 Not Found"}},
		"schema1": {"", "manifests", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			fmt.Fprint(w, `{"schemaVersion":1,"fsLayers":[]}`)
		}, failed, []string{"manifest at ", "schema 1"}},
		"layers": {"", "manifests", func(w http.ResponseWriter, _ *http.Request) {
			var m map[string]any
			_ = json.Unmarshal(reg.Manifest("layers", "1"), &m)
			list := make([]any, 10000)
			for i := range list {
				list[i] = m["layers"].([]any)[0]
			}
			m["layers"] = list
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_ = json.NewEncoder(w).Encode(m)
		}, failed, []string{"10000 layers"}},
		"blob":   {"", "blobs", status(404), failed, []string{"blob at ", "a part of the image (404 Not Found", "push the image again"}},
		"digest": {host + "/digest@" + imagetest.Digest([]byte("x")), "manifests", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, failed, []string{"digest at ", "it was asked for sha256:", "something on the way"}},
	}
	b.Must(os.WriteFile(config, []byte("registriesConf: /nonexistent\nregistryAuth: []\nregistryCerts: []\nmaxParallelImagePulls: 0\n"), 0o600))
	b.MustStart()
	for pod, c := range tests {
		if c.kind != "" {
			answers[pod+" "+c.kind] = c.answer
			reg.Add(t, pod, "1", imagetest.Image{Layers: []imagetest.Layer{{Files: []imagetest.File{imagetest.Regular("a", pod)}}}})
		}
	}
	for pod, c := range tests {
		if c.image == "" {
			c.image = host + "/" + pod + ":1"
		}
		b.MustDrop(pod, fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  containers:\n  - {name: main, image: %q}\n", pod, c.image))
	}
	for pod, c := range tests {
		waits := func(pod *corev1.Pod) string {
			if w := harness.ContainerStatus(pod, "main").State.Waiting; w == nil || w.Reason != "ImagePullBackOff" {
				return "it does not wait for its image"
			}
			return ""
		}
		reason, event := "ImagePullBackOff", c.reason
		if c.reason == "" {
			reason, event = "InvalidImageName", "InvalidImageName"
			waits = func(pod *corev1.Pod) string {
				if pod.Status.Reason != reason {
					return "its reason is " + pod.Status.Reason
				}
				return ""
			}
		}
		got := b.WaitPod(pod, waits)
		message := got.Status.Message
		if c.reason != "" {
			message = harness.ContainerStatus(got, "main").State.Waiting.Message
			event = "Error: " + c.reason
			if !strings.Contains(message, ": "+c.reason+": ") {
				t.Errorf("%s does not say %s: %s", pod, c.reason, message)
			}
		}
		shown := b.CLI("get", "pods", pod)
		if !strings.Contains(shown, reason) {
			t.Errorf("get shows\n%s", shown)
		}
		described := b.CLI("describe", "pod", pod)
		events := b.CLI("get", "events", "--field-selector", "involvedObject.name="+pod)
		if !strings.Contains(events, event) {
			t.Errorf("%s: no event has %s:\n%s", pod, event, events)
		}
		for _, want := range c.says {
			if !strings.Contains(message, want) || !strings.Contains(described, want) || !strings.Contains(events, want) {
				t.Errorf("%s does not say %q:\n%s\n%s\n%s", pod, want, message, described, events)
			}
		}
		if len(message) > 700 || strings.ContainsAny(message, "\n\r<") || strings.Contains(described+events+shown, "signature=") || strings.Contains(described+events+shown, "geheim") {
			t.Errorf("%s is no sentence for people: %q\n%s\n%s", pod, message, described, events)
		}
	}
	if strings.Contains(b.Output(), "geheim") {
		t.Error("the log has the password of an image's name")
	}
}

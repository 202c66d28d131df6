package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/apitest"
)

// watching reads a watch in words such as "ADDED a".
type watching struct {
	t   *testing.T
	dec *json.Decoder
}

func watchPods(t *testing.T, c *http.Client, query string) *watching {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://podd/api/v1/pods?watch=true&"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("watch answered %s", resp.Status)
	}
	return &watching{t, json.NewDecoder(resp.Body)}
}

func (w *watching) expect(want ...string) {
	w.t.Helper()
	for _, s := range want {
		var e struct {
			Type   string
			Object metav1.PartialObjectMetadata
		}
		if err := w.dec.Decode(&e); err != nil {
			w.t.Fatalf("want %q: %v", s, err)
		}
		if e.Object.Kind != "Pod" || e.Object.ResourceVersion == "" {
			w.t.Errorf("object is %q at %q", e.Object.Kind, e.Object.ResourceVersion)
		}
		if got := fmt.Sprintf("%s %s", e.Type, e.Object.Name); got != s {
			w.t.Errorf("got %q, want %q", got, s)
		}
	}
}

func failed(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }

func TestWatch(t *testing.T) {
	f := apitest.New(apitest.Pod("b"), apitest.Pod("a"))
	w := watchPods(t, dial(t, f), "")
	w.expect("ADDED a", "ADDED b")
	f.Put(apitest.Pod("c"))
	f.Put(apitest.Pod("a", failed))
	f.Remove("default", "b")
	w.expect("ADDED c", "MODIFIED a", "DELETED b")
}

func TestWatchFromVersion(t *testing.T) {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("b"))
	w := watchPods(t, dial(t, f), "resourceVersion=101")
	w.expect("ADDED b")
	f.Remove("default", "a")
	w.expect("DELETED a")
}

// What comes to match is added, what ceases to match is deleted, whatever happened to it.
func TestWatchSelected(t *testing.T) {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("b", failed))
	w := watchPods(t, dial(t, f), "fieldSelector=status.phase%3DRunning")
	w.expect("ADDED a")
	f.Put(apitest.Pod("b"))
	f.Put(apitest.Pod("a", failed))
	f.Put(apitest.Pod("a", failed))
	f.Put(apitest.Pod("b"))
	f.Remove("default", "a")
	f.Remove("default", "b")
	w.expect("ADDED b", "DELETED a", "MODIFIED b", "DELETED b")
}

func TestWatchNamespace(t *testing.T) {
	f := apitest.New()
	w := watchPods(t, dial(t, f), "fieldSelector=metadata.namespace%3Dother")
	f.Put(apitest.Pod("a"))
	f.Put(apitest.Pod("b", func(p *corev1.Pod) { p.Namespace = "other" }))
	w.expect("ADDED b")
}

func TestWatchSendInitialEvents(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	w := watchPods(t, dial(t, f), "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=1")
	w.expect("ADDED a")
	var e struct {
		Type   string
		Object metav1.PartialObjectMetadata
	}
	if err := w.dec.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "BOOKMARK" || e.Object.ResourceVersion != "101" || e.Object.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
		t.Errorf("got %+v", e)
	}
	f.Put(apitest.Pod("b"))
	w.expect("ADDED b")
}

func TestWatchTimeout(t *testing.T) {
	w := watchPods(t, dial(t, apitest.New()), "timeoutSeconds=1")
	var e any
	if err := w.dec.Decode(&e); err == nil {
		t.Errorf("got %v", e)
	}
}

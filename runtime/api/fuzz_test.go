package api

import (
	"net/http"
	"net/url"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/kinds"
)

// Whatever a client asks for is an option within its limits, or an error.
func FuzzLogOptions(f *testing.F) {
	f.Add("tailLines=5&sinceSeconds=3")
	f.Add("limitBytes=-1&sinceTime=2026-05-01T09:00:00Z")
	f.Add("stream=Both&follow=maybe")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		o, err := parseLogOptions("x", q)
		if err != nil {
			if s := statusOf(err); s.Code != http.StatusUnprocessableEntity {
				t.Errorf("code %d: %s", s.Code, s.Message)
			}
			return
		}
		if o.TailLines != nil && *o.TailLines < 0 || o.LimitBytes != nil && *o.LimitBytes < 1 || o.SinceSeconds != nil && *o.SinceSeconds < 1 {
			t.Errorf("accepted %+v", o)
		}
	})
}

// A selector that is accepted can be asked about any pod.
func FuzzSelection(f *testing.F) {
	f.Add("app=web,tier!=back", "metadata.name=x")
	f.Add("a in (b,c),!d", "status.phase!=Running,spec.nodeName=")
	f.Fuzz(func(t *testing.T, labels, fields string) {
		sel, err := parseSelection(kinds.Pods(), "", url.Values{"labelSelector": {labels}, "fieldSelector": {fields}})
		if err != nil {
			if s := statusOf(err); s.Code != http.StatusBadRequest {
				t.Errorf("code %d: %s", s.Code, s.Message)
			}
			return
		}
		sel.matches(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"app": "x"}}})
	})
}

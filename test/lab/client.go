package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ErrNotFound is the API's 404.
var ErrNotFound = errors.New("not found")

// Client speaks to a node's socket with nothing but HTTP and the Kubernetes types, as another program would.
type Client struct{ http *http.Client }

func newClient(socket string) Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}, DisableKeepAlives: true} // a kept connection would be one to a daemon that is dead by now
	return Client{http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// Get asks for a path and decodes the answer into the object, a *[]byte or a *string.
func (c Client) Get(path string, into any) error {
	response, err := c.http.Get("http://podd" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s: %w", path, ErrNotFound)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	switch into := into.(type) {
	case *string:
		*into = string(body)
		return nil
	default:
		return json.Unmarshal(body, into)
	}
}

// Pod asks for one pod, NAME of the default namespace or NAMESPACE/NAME.
func (c Client) Pod(name string) (*corev1.Pod, error) {
	namespace, name, ok := strings.Cut(name, "/")
	if !ok {
		namespace, name = "default", namespace
	}
	pod := &corev1.Pod{}
	return pod, c.Get("/api/v1/namespaces/"+namespace+"/pods/"+url.PathEscape(name), pod)
}

// Pods asks for all pods of all namespaces.
func (c Client) Pods() ([]corev1.Pod, error) {
	list := corev1.PodList{}
	err := c.Get("/api/v1/pods", &list)
	return list.Items, err
}

// Events asks for the events of the default namespace.
func (c Client) Events() ([]corev1.Event, error) {
	list := corev1.EventList{}
	err := c.Get("/api/v1/namespaces/default/events", &list)
	return list.Items, err
}

// Logs asks for a container's log; query as in the Kubernetes API: container, previous, tailLines, timestamps …
func (c Client) Logs(pod string, query url.Values) (string, error) {
	var text string
	err := c.Get("/api/v1/namespaces/default/pods/"+url.PathEscape(pod)+"/log?"+query.Encode(), &text)
	return text, err
}

// HTTPFrom makes a client that speaks from inside the node's network namespace, to the addresses of pods.
func (n *Node) HTTPFrom() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer(n.netns()), DisableKeepAlives: true},
		Timeout:   5 * time.Second,
	}
}

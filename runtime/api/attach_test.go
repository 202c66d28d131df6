package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api"
	"podd/runtime/api/apitest"
	"podd/runtime/api/stream"
)

func attachWire(t *testing.T, f *apitest.Fake, pod, query string) *wire {
	t.Helper()
	url := "http://podd/api/v1/namespaces/default/pods/" + pod + "/attach?" + query
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: dial(t, f), Subprotocols: []string{api.ProtocolV5}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	return &wire{t, conn}
}

// withTerminal gives the container of a pod a terminal.
func withTerminal(p *corev1.Pod) { p.Spec.Containers[0].TTY, p.Spec.Containers[0].Stdin = true, true }

// Streams go both ways, and the session ends with success whatever the container's exit code: so kubectl attach reports it.
func TestAttach(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnAttach = func(_ context.Context, container string, s stream.Streams) error {
		b, err := io.ReadAll(s.Stdin)
		fmt.Fprintf(s.Stdout, "%s read %s", container, b)
		fmt.Fprint(s.Stderr, "err")
		return err
	}
	w := attachWire(t, f, "a", "stdin=1&stdout=1&stderr=1")
	w.send("\x00in")
	w.send("\xff\x00")
	if got := w.read(); got[1] != "app read in" || got[2] != "err" || got[3] != `{"metadata":{},"status":"Success"}` {
		t.Errorf("got %q", got)
	}
}

// Whether there is a terminal is the container's to say: stderr and sizes follow from it, not from what the client asks for.
func TestAttachTerminal(t *testing.T) {
	f := apitest.New(apitest.Pod("a"), apitest.Pod("t", withTerminal))
	f.OnAttach = func(_ context.Context, _ string, s stream.Streams) error {
		if s.Resize == nil {
			fmt.Fprint(s.Stdout, "no terminal, stderr ", s.Stderr != nil)
			return nil
		}
		size := <-s.Resize
		fmt.Fprintf(s.Stdout, "%dx%d, stderr %v", size.Width, size.Height, s.Stderr != nil)
		return nil
	}
	if got := attachWire(t, f, "a", "tty=1&stdout=1&stderr=1").read(); got[1] != "no terminal, stderr true" {
		t.Errorf("got %q", got)
	}
	w := attachWire(t, f, "t", "stdin=1&stdout=1&stderr=1")
	w.send("\x04{\"Width\":80,\"Height\":24}")
	if got := w.read(); got[1] != "80x24, stderr false" {
		t.Errorf("got %q", got)
	}
}

// Why podd ends a session is said.
func TestAttachEndsWithReason(t *testing.T) {
	f := apitest.New(apitest.Pod("a"))
	f.OnAttach = func(context.Context, string, stream.Streams) error { return api.AsBadRequest(errors.New("too slow")) }
	var s metav1.Status
	if got := attachWire(t, f, "a", "stdout=1").read(); json.Unmarshal([]byte(got[3]), &s) != nil || s.Message != "too slow" {
		t.Errorf("got %q", got)
	}
}

func TestKubectlAttach(t *testing.T) {
	f := apitest.New(apitest.Pod("a", func(p *corev1.Pod) { p.Spec.Containers[0].Stdin = true }))
	f.OnAttach = func(_ context.Context, _ string, s stream.Streams) error {
		_, err := io.Copy(s.Stdout, s.Stdin)
		return err
	}
	run := kubectl(t, f)
	if got, code := run("to and fro", "attach", "-i", "a"); !strings.Contains(got, "to and fro") || code != 0 {
		t.Errorf("code %d: %s", code, got)
	}
	if got, code := run("", "attach", "a", "-c", "none"); !strings.Contains(got, "none") || code != 1 {
		t.Errorf("code %d: %s", code, got)
	}
}

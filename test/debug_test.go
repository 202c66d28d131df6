package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// send sends a request to the daemon.
func (b *Board) send(method, path, media, text string) (code int, answer string) {
	b.t.Helper()
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", b.Socket)
	}, DisableKeepAlives: true}}
	req, err := http.NewRequest(method, "http://podd"+path, bytes.NewReader([]byte(text)))
	b.must(err)
	req.Header.Set("Content-Type", media)
	resp, err := c.Do(req)
	b.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(data)
}

// An ephemeral container has the pod's network and its target's processes, outlives podd, runs once, and the pod does not notice.
//
// e2e: [sig-node] Ephemeral Containers :: will start an ephemeral container in an existing pod
func TestEphemeralContainer(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("web", onePod("web", "exec sleep 7777"))
	before := b.running("web")
	add := func(name, more string) (int, string) {
		t.Helper()
		return b.send(http.MethodPatch, "/api/v1/namespaces/default/pods/web/ephemeralcontainers", "application/strategic-merge-patch+json",
			fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":%q,"image":"busybox","imagePullPolicy":"Never"%s}]}}`, name, more))
	}
	if code, text := add("bad", `,"targetContainerName":"none"`); code != 422 || !strings.Contains(text, "Not found") {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := add("look", `,"targetContainerName":"main","command":["sh","-c","echo looking; echo $$$$ >/pid; trap 'exit 3' TERM; while :; do sleep 0.1; done"]`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	status := func(name string) func(p *corev1.Pod) *corev1.ContainerStatus {
		return func(p *corev1.Pod) *corev1.ContainerStatus {
			for i := range p.Status.EphemeralContainerStatuses {
				if s := &p.Status.EphemeralContainerStatuses[i]; s.Name == name {
					return s
				}
			}
			return nil
		}
	}
	runs := func(p *corev1.Pod) string {
		if s := status("look")(p); s == nil || s.State.Running == nil {
			return fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
		}
		return ""
	}
	b.wait("web", runs)
	if out := b.podd("exec", "web", "-c", "look", "--", "ps"); !strings.Contains(out, "sleep 7777") {
		t.Errorf("it does not see its target: %s", out)
	}
	if out := b.podd("exec", "web", "-c", "look", "--", "ip", "-4", "addr"); !strings.Contains(out, before.Status.PodIP) {
		t.Errorf("it has another network: %s", out)
	}
	b.until(has("looking"), "logs", "web", "-c", "look")
	b.kill9()
	b.must(b.Start())
	b.must(b.Ready(limit))
	b.wait("web", runs)
	b.podd("exec", "web", "-c", "look", "--", "sh", "-c", "kill -TERM $(cat /pid)")
	after := b.wait("web", func(p *corev1.Pod) string {
		s := status("look")(p)
		if s == nil || s.State.Terminated == nil || s.State.Terminated.ExitCode != 3 || s.RestartCount != 0 {
			return fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
		}
		return isRunning(p)
	})
	if after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount != 0 || len(after.Spec.EphemeralContainers) != 1 {
		t.Errorf("the pod has noticed: %+v", after.Status)
	}
	b.remove("web")
	b.gone("web")
}

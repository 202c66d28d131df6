package api

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/runtime/api/protocol"
	"podd/runtime/api/stream"
)

// Subprotocols of exec and attach over WebSocket; v5 can close stdin alone (KEP-4006).
const (
	ProtocolV5 = "v5.channel.k8s.io"
	ProtocolV4 = "v4.channel.k8s.io"
)

// podExec runs a command in a container over a WebSocket, as kubectl 1.31 and later asks.
func (s *server) podExec(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	o, err := parseExecOptions(r.URL.Query())
	if err != nil {
		return err
	}
	if o.Container, err = runningContainer(w, p, o.Container, "exec into"); err != nil {
		return err
	}
	conn, err := acceptStreams(w, r)
	if conn == nil {
		return err
	}
	x := stream.NewSession(r.Context(), conn, o)
	defer x.End()
	code, err := s.backend.Exec(x.Ctx, p.Namespace, p.Name, o, x.Streams())
	x.Finish(streamStatus(code, err))
	return nil
}

// runningContainer returns the container that a request for its streams means, if it runs; purpose is what for.
func runningContainer(w http.ResponseWriter, p *corev1.Pod, name, purpose string) (string, error) {
	if name == "" && len(p.Spec.InitContainers) > 0 {
		w.Header().Set(protocol.HeaderContainers, DescribeContainers(p))
	}
	name, err := chooseContainer(p, name)
	if err != nil {
		return "", err
	}
	return name, checkRuns(p, name, purpose)
}

// acceptStreams makes a WebSocket of a request; without one and without an error the client has been answered.
func acceptStreams(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	if !offersProtocol(r.Header) {
		return nil, refuseSPDY(w, r)
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{ProtocolV5, ProtocolV4},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, nil // Accept has answered
	}
	return conn, nil
}

// streamStatus is what a client is told at the end.
func streamStatus(code int, err error) *metav1.Status {
	if err != nil {
		status := statusOf(err)
		return &status
	}
	return stream.Status(code)
}

func parseExecOptions(q url.Values) (*corev1.PodExecOptions, error) {
	o := &corev1.PodExecOptions{
		Container: q.Get("container"),
		Command:   q["command"],
		Stdin:     isTrue(q.Get("stdin")),
		Stdout:    isTrue(q.Get("stdout")),
		Stderr:    isTrue(q.Get("stderr")),
		TTY:       isTrue(q.Get("tty")),
	}
	if len(o.Command) == 0 {
		return nil, BadRequest("you must specify at least one command for the container")
	}
	return o, checkStreams(o)
}

func checkStreams(o *corev1.PodExecOptions) error {
	if !o.Stdin && !o.Stdout && !o.Stderr {
		return BadRequest("you must specify at least 1 of stdin, stdout, stderr")
	}
	return nil
}

func offersProtocol(h http.Header) bool {
	if !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return false
	}
	for _, offers := range h.Values("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(offers, ",") {
			if slices.Contains([]string{ProtocolV5, ProtocolV4}, strings.TrimSpace(p)) {
				return true
			}
		}
	}
	return false
}

// refuseSPDY answers clients that know only the older way.
func refuseSPDY(_ http.ResponseWriter, r *http.Request) error {
	return BadRequest(path.Base(r.URL.Path) + " needs a WebSocket with " + ProtocolV5 + " or " + ProtocolV4 + ", as kubectl 1.31 and later opens")
}

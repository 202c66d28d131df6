package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/protocol"
	"podd/runtime/api/stream"
)

// Subprotocols of an exec over WebSocket; v5 can close stdin alone (KEP-4006).
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
	if o.Container == "" && len(p.Spec.InitContainers) > 0 {
		w.Header().Set(protocol.HeaderContainers, DescribeContainers(p))
	}
	if o.Container, err = chooseContainer(p, o.Container); err != nil {
		return err
	}
	if err := checkExec(p, o.Container); err != nil {
		return err
	}
	if !offersProtocol(r.Header) {
		return refuseSPDY(w, r)
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:    []string{ProtocolV5, ProtocolV4},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		s.log.Debug("exec refused", "pod", p.Namespace+"/"+p.Name, "err", err)
		return nil // Accept has answered
	}
	x := stream.NewSession(r.Context(), conn, o)
	defer x.End()
	code, err := s.backend.Exec(x.Ctx, p.Namespace, p.Name, o, x.Streams())
	x.Finish(execStatus(code, err))
	return nil
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
	if !o.Stdin && !o.Stdout && !o.Stderr {
		return nil, BadRequest("you must specify at least 1 of stdin, stdout, stderr")
	}
	return o, nil
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
func refuseSPDY(http.ResponseWriter, *http.Request) error {
	return BadRequest("exec needs a WebSocket with " + ProtocolV5 + " or " + ProtocolV4 + ", as kubectl 1.31 and later opens")
}

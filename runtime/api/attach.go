package api

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api/stream"
)

// podAttach connects a client with the first process of a container, over a WebSocket as for an exec.
func (s *server) podAttach(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pod(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	o := &corev1.PodExecOptions{
		Container: q.Get("container"),
		Stdin:     isTrue(q.Get("stdin")),
		Stdout:    isTrue(q.Get("stdout")),
		Stderr:    isTrue(q.Get("stderr")),
	}
	if err := checkStreams(o); err != nil {
		return err
	}
	if o.Container, err = runningContainer(w, p, o.Container, "attach"); err != nil {
		return err
	}
	// Whether there is a terminal was decided when the container started, and not by who attaches.
	o.TTY = hasTerminal(p, o.Container)
	conn, err := acceptStreams(w, r)
	if conn == nil {
		return err
	}
	x := stream.NewSession(r.Context(), conn, o)
	defer x.End()
	x.Finish(streamStatus(0, s.backend.Attach(x.Ctx, p.Namespace, p.Name, o.Container, x.Streams())))
	return nil
}

package prober

import (
	"context"
	"errors"
	"os"

	corev1 "k8s.io/api/core/v1"

	"podd/probe"
	"podd/runtime/container"
	"podd/runtime/container/spec"
)

// Check makes one probe.
func (w worker) Check(ctx context.Context) (probe.Result, string) {
	spec := w.kind.Of(w.spec)
	switch {
	case spec.Exec != nil:
		return w.exec(ctx, spec.Exec.Command)
	case spec.HTTPGet != nil:
		request, err := w.target.request(spec.HTTPGet, probe.UserAgent)
		if err != nil {
			return probe.Unknown, err.Error()
		}
		return request.Check(ctx)
	case spec.TCPSocket != nil:
		at, err := w.target.at(spec.TCPSocket.Host, spec.TCPSocket.Port)
		if err != nil {
			return probe.Unknown, err.Error()
		}
		return probe.TCP(ctx, at)
	}
	return w.grpc(ctx, spec.GRPC)
}

func (w worker) grpc(ctx context.Context, a *corev1.GRPCAction) (probe.Result, string) {
	service := ""
	if a.Service != nil {
		service = *a.Service
	}
	at := probe.Target{Netns: w.target.netns, Host: w.target.host(), Port: int(a.Port)}
	return probe.GRPC(ctx, at, service, a.Mode != nil && *a.Mode == corev1.GRPCProbeModeTLS)
}

func (w worker) exec(ctx context.Context, command []string) (probe.Result, string) {
	if w.config == nil {
		return probe.Unknown, "its image is gone"
	}
	args := spec.ExpandCommand(command, w.spec.Env)
	return probe.Exec(ctx, args, func(output *os.File) (probe.Command, error) {
		// A start keeps a processor busy for a while; what has been started does not.
		w.prober.execSlots <- struct{}{}
		defer func() { <-w.prober.execSlots }()
		input, err := container.ProbeInput()
		if err != nil {
			return nil, err
		}
		x, err := w.prober.Engine.Exec(w.config, container.ExecConfig{Args: args, Stdin: input, Stdout: output, Stderr: output})
		if errors.Is(err, container.ErrNotRunning) {
			return nil, errors.New("container not running")
		}
		if err != nil {
			return nil, err
		}
		return execCommand{x}, nil
	})
}

// execCommand is a command in a container as the leaf sees it.
type execCommand struct{ *container.Exec }

func (c execCommand) Wait() (int, error) {
	status, err := c.Exec.Wait()
	return status.Code, err
}

package backend

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime"
	"podd/runtime/api/protocol"
	"podd/runtime/api/stream"
	"podd/runtime/stdio"
)

// Exec runs a command in a container and returns its exit code.
func (b *Backend) Exec(ctx context.Context, namespace, name string, o *corev1.PodExecOptions, s stream.Streams) (int, error) {
	return b.Runtime.Exec(ctx, namespace, name, runtime.Command{
		Container: o.Container, Args: o.Command, TTY: o.TTY,
		Streams: stdioStreams(s),
	})
}

// Attach connects a client with the first process of a container.
func (b *Backend) Attach(ctx context.Context, namespace, name, container string, s stream.Streams) error {
	return b.Runtime.Attach(ctx, namespace, name, container, stdioStreams(s))
}

func stdioStreams(s stream.Streams) stdio.Streams {
	return stdio.Streams{Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Resize: resizeFrom(s.Resize)}
}

// resizeFrom carries the sizes of a client's terminal over.
func resizeFrom(sizes <-chan protocol.Size) func(func(width, height uint16), <-chan struct{}) {
	return func(set func(width, height uint16), ended <-chan struct{}) {
		for {
			select {
			case size := <-sizes:
				set(size.Width, size.Height)
			case <-ended:
				return
			}
		}
	}
}

package runtime

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"podd/runtime/api"
	"podd/runtime/api/protocol"
	"podd/runtime/stdio"
)

// Exec runs a command in a container and returns its exit code.
func (b *Backend) Exec(ctx context.Context, namespace, name string, o *corev1.PodExecOptions, s api.Streams) (int, error) {
	a, err := b.find(ctx, namespace, name, o.Container)
	if err != nil {
		return 0, err
	}
	// The command's process moves into the container's cgroup, which the kernel makes wait.
	go b.Cgroups.Warm()
	if !a.running || a.config == nil {
		return 0, api.AsBadRequest(fmt.Errorf("container %s is not running", o.Container))
	}
	run := stdio.ExecPipes
	if o.TTY {
		run = stdio.ExecTerminal
	}
	code, err := run(ctx, b.engine, a.config, o.Command, stdio.Streams{Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Resize: resizeFrom(s.Resize)})
	if err != nil {
		b.inbox.put(msgCgroup{a.config.Sandbox.CgroupPath}) // of a container that has lost it, this is how it shows
	}
	return code, err
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

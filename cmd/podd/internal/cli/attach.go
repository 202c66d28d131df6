package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/cli/terminal"
	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
)

// attachment is one `podd attach`, and what `podd run -i` and `podd debug -i` come to.
type attachment struct {
	*options
	container, detachKeys string
	stdin, tty, quiet     bool
}

// defaultDetachKeys are kubectl's.
const defaultDetachKeys = "ctrl-p,ctrl-q"

func newAttachCommand(o *options) *cobra.Command {
	var namespace string
	a := &attachment{options: o}
	cmd := &cobra.Command{
		Use:     "attach [-it] POD [-c CONTAINER]",
		Short:   "Attach to the process that runs in a container",
		Example: "  podd attach web\n  podd attach -it shell",
		Args:    named("name a pod", cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := podName(args[0])
			if err != nil {
				return err
			}
			var p corev1.Pod
			if err := a.client().Object(cmd.Context(), client.PodPath(namespace, name), nil, client.AcceptObject, &p); err != nil {
				return err
			}
			if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
				return fmt.Errorf("cannot attach a container in a completed pod; current phase is %s", p.Status.Phase)
			}
			return a.run(cmd, &p)
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &namespace)
	f := cmd.Flags()
	f.StringVarP(&a.container, "container", "c", "", "container to attach to")
	f.BoolVarP(&a.stdin, "stdin", "i", false, "pass stdin to the container")
	f.BoolVarP(&a.tty, "tty", "t", false, "stdin is a terminal")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing but what the container writes")
	f.StringVar(&a.detachKeys, "detach-keys", defaultDetachKeys, "keys that end the session and leave the container alone")
	mustComplete(cmd, "container", completeContainer(o))
	return cmd
}

// run attaches until the container or the session ends.
func (a *attachment) run(cmd *cobra.Command, p *corev1.Pod) error {
	out, errOut := rawOutput(cmd)
	says := cmd.ErrOrStderr()
	if a.quiet {
		says = io.Discard
	}
	if a.container == "" {
		a.container = defaultContainer(says, p)
	}
	c := findContainer(p, a.container)
	if c == nil {
		return fmt.Errorf("cannot attach to the container: container %s not found in pod %s", a.container, p.Name)
	}
	if a.tty && !c.TTY {
		fmt.Fprintf(says, "error: Unable to use a TTY - container %s did not allocate one\n", c.Name)
	}
	if a.stdin && !c.Stdin {
		fmt.Fprintf(says, "error: Unable to use stdin - container %s has none: its stdin is not true\n", c.Name)
	}
	s := &client.Session{Stdout: out, Stderr: errOut}
	if a.stdin && c.Stdin {
		s.Stdin = cmd.InOrStdin()
	}
	t, err := a.terminal(cmd.InOrStdin(), s, c, says)
	if err != nil {
		return err
	}
	fmt.Fprintln(says, "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.")
	fmt.Fprintln(says, "If you don't see a command prompt, try pressing enter.")
	q := url.Values{"container": {c.Name}, "stdout": {"true"}}
	if s.Stdin != nil {
		q.Set("stdin", "true")
	}
	if c.TTY {
		q.Set("tty", "true")
	} else {
		q.Set("stderr", "true") // with a terminal both are one
	}
	status, err := a.client().Exec(cmd.Context(), client.PodPath(p.Namespace, p.Name)+"/attach", q, s)
	if t != nil {
		err = errors.Join(err, t.Restore())
	}
	switch {
	case errors.Is(err, client.ErrNoStatus):
		return errors.New("the daemon is gone, and the session with it; the container goes on, and can be attached to when podd is back")
	case err != nil:
		return err
	case status.Status != metav1.StatusSuccess:
		return errors.New(status.Message)
	}
	if t != nil && !a.quiet {
		fmt.Fprintln(cmd.OutOrStdout(), a.goodbye(p))
	}
	return nil
}

// goodbye is how the session can be taken up again, in kubectl's words.
func (a *attachment) goodbye(p *corev1.Pod) string {
	again := fmt.Sprintf("podd attach %s -c %s -n %s -i -t", p.Name, a.container, p.Namespace)
	for i := range p.Spec.EphemeralContainers {
		if p.Spec.EphemeralContainers[i].Name == a.container {
			return fmt.Sprintf("Session ended, the ephemeral container will not be restarted but may be reattached using '%s' if it is still running", again)
		}
	}
	return fmt.Sprintf("Session ended, resume using '%s' command", again)
}

// terminal makes the local terminal raw if the container has one and stdin is one; otherwise nil.
func (a *attachment) terminal(in io.Reader, s *client.Session, c *corev1.Container, says io.Writer) (*terminal.Terminal, error) {
	if !c.TTY || s.Stdin == nil {
		return nil, nil
	}
	f, ok := in.(*os.File)
	if !ok || !terminal.Is(f) {
		if a.tty {
			fmt.Fprintln(says, "Unable to use a TTY - input is not a terminal or the right kind of file")
		}
		return nil, nil
	}
	keys, err := terminal.Keys(strings.ToLower(a.detachKeys))
	if err != nil {
		return nil, fmt.Errorf("could not bind detach keys: %w", err)
	}
	t, err := terminal.Open(f)
	if err != nil {
		return nil, err
	}
	s.Stdin, s.Resize = terminal.Detachable(f, keys), t.Redraw()
	return t, nil
}

// findContainer returns the container of that name, of whatever kind.
func findContainer(p *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if c := (*corev1.Container)(&p.Spec.EphemeralContainers[i].EphemeralContainerCommon); c.Name == name {
			return c
		}
	}
	return nil
}

// waiter waits for a container.
type waiter struct {
	*options
	cmd                       *cobra.Command
	namespace, pod, container string
	quiet                     bool
	// comes: the pod may not be there yet. Once it was, it is waited for no more.
	comes bool
	limit time.Duration // 0: as long as it takes
}

// until asks for a pod until its container is as wanted, and says what it waits for meanwhile.
func (w *waiter) until(wanted func(*corev1.ContainerStatus) bool) (*corev1.Pod, *corev1.ContainerStatus, error) {
	ctx, said := w.cmd.Context(), ""
	if w.limit > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, w.limit, fmt.Errorf("container %s of pod %s/%s does not run after %s", w.container, w.namespace, w.pod, w.limit))
		defer cancel()
		ctx = limited
	}
	for {
		var pod corev1.Pod
		err := w.client().Object(ctx, client.PodPath(w.namespace, w.pod), nil, client.AcceptObject, &pod)
		var none *client.NoDaemonError
		if ctx.Err() != nil || errors.As(err, &none) || err != nil && !w.comes {
			return nil, nil, errors.Join(err, context.Cause(ctx))
		}
		w.comes = w.comes && err != nil
		if s := statusOf(&pod, w.container); s != nil {
			if wanted(s) {
				return &pod, s, nil
			}
			if waits := s.State.Waiting; waits != nil && waits.Message != "" && waits.Message != said && !w.quiet {
				said = waits.Message
				fmt.Fprintf(w.cmd.ErrOrStderr(), "%s: %s\n", waits.Reason, escape.Line(waits.Message))
			}
		}
		if err == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed) {
			return nil, nil, fmt.Errorf("pod %s/%s has ended (%s), and container %s with it", w.namespace, w.pod, pod.Status.Phase, w.container)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// statusOf returns nil when nothing is known of a container yet.
func statusOf(p *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// printLog prints what a container has written.
func printLog(cmd *cobra.Command, o *options, p *corev1.Pod, container string, follow bool) error {
	logs := newLogsCommand(o)
	args := []string{p.Name, "-n", p.Namespace, "-c", container}
	if follow {
		args = append(args, "-f")
	}
	logs.SetArgs(args)
	logs.SetOut(cmd.Root().OutOrStdout())
	logs.SetErr(cmd.Root().ErrOrStderr())
	logs.SilenceErrors, logs.SilenceUsage = true, true
	return logs.ExecuteContext(cmd.Context())
}

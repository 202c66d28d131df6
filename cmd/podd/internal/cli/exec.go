package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/cli/terminal"
	"podd/cmd/podd/internal/client"
	"podd/runtime/api/stream"
)

// execute is one `podd exec`.
type execute struct {
	*options
	namespace, container string
	stdin, tty, quiet    bool
}

func newExecCommand(o *options) *cobra.Command {
	x := &execute{options: o}
	cmd := &cobra.Command{
		Use:     "exec [-it] POD [-c CONTAINER] -- COMMAND [ARG...]",
		Short:   "Run a command in a container",
		Example: "  podd exec web -- ls /\n  podd exec -it web -c app -- sh",
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash == 0 || len(args) == 0:
				return errors.New("pod or type/name must be specified")
			case dash != 1 && (dash > 1 || len(args) > 1):
				return errors.New("exec [POD] [COMMAND] is not supported anymore: use exec [POD] -- [COMMAND] instead")
			case len(args) == 1:
				return errors.New("you must specify at least one command for the container")
			}
			return x.run(cmd, args[0], args[1:])
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &x.namespace)
	f := cmd.Flags()
	f.StringVarP(&x.container, "container", "c", "", "container to run the command in")
	f.BoolVarP(&x.stdin, "stdin", "i", false, "pass stdin to the command")
	f.BoolVarP(&x.tty, "tty", "t", false, "give the command a terminal")
	f.BoolVarP(&x.quiet, "quiet", "q", false, "print nothing but what the command writes")
	mustComplete(cmd, "container", completeContainer(o))
	return cmd
}

func (x *execute) run(cmd *cobra.Command, arg string, command []string) error {
	name, err := podName(arg)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	warnings := cmd.ErrOrStderr()
	if x.quiet {
		warnings = io.Discard
	}
	s := &client.Session{Chosen: func(name, all string) { printDefaulted(warnings, name, all) }}
	s.Stdout, s.Stderr = rawOutput(cmd)
	if x.stdin {
		s.Stdin = cmd.InOrStdin()
	}
	if !x.tty && x.container == "" {
		status, err := x.client().Exec(ctx, client.PodPath(x.namespace, name)+"/exec", x.query(command, false), s)
		if !apierrors.IsBadRequest(err) {
			return x.end(cmd, status, err)
		}
		// Of several containers the client chooses, as with kubectl.
	}
	if x.container == "" {
		p, err := x.client().Outline(ctx, client.PodPath(x.namespace, name))
		if err != nil {
			return err
		}
		x.container = defaultContainer(warnings, p)
	}
	t, err := x.terminal(cmd.InOrStdin(), s)
	if err != nil {
		return err
	}
	status, err := x.client().Exec(ctx, client.PodPath(x.namespace, name)+"/exec", x.query(command, t != nil), s)
	if t != nil {
		err = errors.Join(err, t.Restore())
	}
	return x.end(cmd, status, err)
}

func (x *execute) end(cmd *cobra.Command, status *metav1.Status, err error) error {
	if err != nil {
		return err
	}
	return x.result(cmd.ErrOrStderr(), status)
}

// terminal makes the local terminal raw, if -t was given and stdin is one; otherwise nil.
func (x *execute) terminal(in io.Reader, s *client.Session) (*terminal.Terminal, error) {
	if !x.tty {
		return nil, nil
	}
	f, ok := in.(*os.File)
	if !x.stdin || !ok || !terminal.Is(f) {
		fmt.Fprintln(s.Stderr, "Unable to use a TTY - input is not a terminal or the right kind of file")
		return nil, nil
	}
	t, err := terminal.Open(f)
	if err != nil {
		return nil, err
	}
	s.Resize = t.Sizes
	return t, nil
}

func (x *execute) query(command []string, tty bool) url.Values {
	q := url.Values{"command": command, "stdout": {"true"}}
	if x.container != "" {
		q.Set("container", x.container)
	}
	if x.stdin {
		q.Set("stdin", "true")
	}
	if tty {
		q.Set("tty", "true")
	} else {
		q.Set("stderr", "true") // with a terminal both are one
	}
	return q
}

// result passes the command's exit code on.
func (x *execute) result(w io.Writer, status *metav1.Status) error {
	code, ran := stream.ExitCode(status)
	switch {
	case !ran:
		return errors.New(status.Message)
	case code == 0:
		return nil
	}
	if !x.quiet {
		fmt.Fprintf(w, "command terminated with exit code %d\n", code)
	}
	return exitError(code)
}

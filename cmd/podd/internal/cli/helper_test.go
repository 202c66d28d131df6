package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/config"
)

// result is what a run of podd has left.
type result struct {
	stdout, stderr string
	code           int
}

// invocation is a command line, its standard input, and what comes of it.
type invocation struct {
	args, stdin string
	want        result
}

// runAll runs each of them against the daemon of a socket.
func runAll(t *testing.T, socket string, list []invocation) {
	t.Helper()
	for _, c := range list {
		t.Run(c.args, func(t *testing.T) {
			got := podd(t, strings.NewReader(c.stdin), append([]string{"--socket", socket}, words(c.args)...)...)
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// all is what one sees on a terminal of a command that writes to one of both.
func (r result) all() string { return r.stdout + r.stderr }

// podd runs a command line in this process.
func podd(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	return poddContext(t, context.Background(), new(buffer), stdin, args...)
}

func poddContext(t *testing.T, ctx context.Context, out *buffer, stdin io.Reader, args ...string) result {
	t.Helper()
	t.Setenv("TZ", "UTC")
	var errOut buffer
	run := &cobra.Command{Use: "run"}
	(&config.Config{}).AddFlags(run.Flags())
	root := New("v0.1.0-dev", run, nothingInUse)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(&errOut)
	code := Report(&errOut, root.ExecuteContext(ctx))
	return result{out.String(), errOut.String(), code}
}

func nothingInUse(string, string) (ids, layers map[string]bool, err error) { return nil, nil, nil }

func words(s string) []string { return strings.Fields(s) }

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

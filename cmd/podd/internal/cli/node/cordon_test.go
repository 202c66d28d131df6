package node

import (
	"bytes"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/client"
	"podd/runtime/api/apitest"
)

// result is what a command has printed, and the error that it ended with.
type result struct{ out, err string }

func podd(t *testing.T, socket string, args ...string) result {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "podd", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(&Options{Client: func() *client.Client { return client.New(socket, io.Discard) }})...)
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		return result{out.String(), err.Error()}
	}
	return result{out.String(), ""}
}

func TestCordon(t *testing.T) {
	socket := apitest.Serve(t, apitest.New())
	for _, c := range []struct {
		args []string
		want result
	}{
		{[]string{"cordon", "--dry-run=client"}, result{"node/board cordoned (dry run)\n", ""}},
		{[]string{"uncordon"}, result{"node/board already uncordoned\n", ""}},
		{[]string{"cordon"}, result{"node/board cordoned\n", ""}},
		{[]string{"cordon", "board"}, result{"node/board already cordoned\n", ""}},
		{[]string{"uncordon", "board"}, result{"node/board uncordoned\n", ""}},
		{[]string{"cordon", "other"}, result{"", "nodes \"other\" not found"}},
		{[]string{"cordon", "board", "other"}, result{"", "there is one node: name it, or none"}},
		{[]string{"cordon", "--dry-run=maybe"}, result{"", "invalid dry-run value (maybe), must be \"none\", \"server\" or \"client\""}},
	} {
		if got := podd(t, socket, c.args...); got != c.want {
			t.Errorf("podd %q: %+v, want %+v", c.args, got, c.want)
		}
	}
}

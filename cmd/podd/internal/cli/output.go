package cli

import (
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"podd/internal/escape"
	"podd/runtime/api/protocol"
)

// escapeOutput makes all that a command prints harmless for a terminal. What is to arrive as it is (the output of a
// container, an archive, a manifest) goes by way of rawOutput.
func escapeOutput(cmd *cobra.Command) {
	out, errOut := rawOutput(cmd)
	cmd.SetOut(escape.Writer(out))
	cmd.SetErr(escape.Writer(errOut))
}

// rawOutput is stdout and stderr without escapeOutput, which leaves the root command alone.
func rawOutput(cmd *cobra.Command) (out, errOut io.Writer) {
	return cmd.Root().OutOrStdout(), cmd.Root().ErrOrStderr()
}

// formatOutput is stdout for a format of -o. The values of JSON survive what makes it harmless, those of YAML would
// not; its encoder spells control characters itself.
func formatOutput(cmd *cobra.Command, format string) io.Writer {
	out, _ := rawOutput(cmd)
	switch format {
	case "json":
		return escape.JSONWriter(out)
	case "yaml":
		return out
	}
	return cmd.OutOrStdout()
}

// terminal is the user's terminal in raw mode: Ctrl-C and all other keys are bytes for the
// command.
type terminal struct {
	file    *os.File
	before  *term.State
	sizes   chan protocol.Size // the size at the start, and each new one
	winches chan os.Signal
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func openTerminal(f *os.File) (*terminal, error) {
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot make the terminal raw: %w", err)
	}
	t := &terminal{file: f, before: before, sizes: make(chan protocol.Size, 1), winches: make(chan os.Signal, 1)}
	signal.Notify(t.winches, unix.SIGWINCH)
	t.measure()
	go func() {
		for range t.winches {
			t.measure()
		}
	}()
	return t, nil
}

// measure offers the present size in place of one that was not taken yet.
func (t *terminal) measure() {
	width, height, err := term.GetSize(int(t.file.Fd()))
	if err != nil {
		return
	}
	select {
	case <-t.sizes:
	default:
	}
	t.sizes <- protocol.Size{Width: uint16(width), Height: uint16(height)}
}

// restore gives the terminal back as it was.
func (t *terminal) restore() error {
	signal.Stop(t.winches)
	close(t.winches)
	if err := term.Restore(int(t.file.Fd()), t.before); err != nil {
		return fmt.Errorf("cannot restore the terminal: %w", err)
	}
	return nil
}

package cli

import (
	"io"

	"github.com/spf13/cobra"

	"podd/internal/escape"
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

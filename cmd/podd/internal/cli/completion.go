package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newCompletionCommand takes the place of cobra's own, which answers with its help, and success, to a shell that it
// does not know.
func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print the script that lets a shell complete podd's command lines",
		Args:      named("name a shell: bash, zsh or fish", cobra.ExactArgs(1)),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			out, _ := rawOutput(cmd)
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return fmt.Errorf("there is no completion for %q: name bash, zsh or fish", args[0])
		},
	}
}

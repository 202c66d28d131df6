package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"podd/runtime/manifest/fields"
)

func newFieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fields",
		Short: "Print what podd does with each field of a pod",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
			fmt.Fprintln(w, "FIELD\tSUPPORT\tWHY")
			for _, f := range fields.Fields() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", f.Path, f.Support, f.Why)
			}
			return w.Flush()
		},
	}
}

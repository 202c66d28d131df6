package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/config"
	"podd/runtime/api"
)

func newPruneCommand(o *options) *cobra.Command {
	i := &images{options: o}
	cmd := i.pruneCommand()
	cmd.Long = "Remove images that have lost their name, or, with --all, all that nobody needs, as podd images prune does. Nothing else\n" +
		"is left behind by pods that have gone: containers, emptyDirs and all but the last logs go with them. The data of claims\n" +
		"goes by podd delete pvc NAME alone."
	cmd.Example = "  podd prune --all --dry-run"
	cmd.Flags().StringVar(&i.root, "root", config.Default().Root, "folder of podd's images, used when no daemon answers")
	return cmd
}

func newSystemCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "system",
		Short:   "Show what podd takes of the machine",
		Example: "  podd system df",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDiskUseCommand(o))
	return cmd
}

// diskUse is a row of `podd system df`.
type diskUse struct {
	Type        string `json:"type"`
	Path        string `json:"path"`
	Count       int    `json:"count"`
	Size        int64  `json:"size"`                  // bytes that the files take on the disk
	Reclaimable *int64 `json:"reclaimable,omitempty"` // of these, by `podd prune --all`
}

func newDiskUseCommand(o *options) *cobra.Command {
	i := &images{options: o}
	var logs, output string
	cmd := &cobra.Command{
		Use:   "df",
		Short: "Show what images, containers, volumes and logs take of the disk",
		Long: "Show what images, containers, volumes and logs take of the disk. What is reclaimable goes by podd prune --all; with no\n" +
			"daemon nobody knows that. It reads the folders themselves, as root.",
		Example: "  podd system df",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows := []diskUse{
				{Type: "Images", Path: filepath.Join(i.root, "images")},
				{Type: "Containers", Path: filepath.Join(i.root, "containers")},
				{Type: "Pods' volumes", Path: filepath.Join(i.root, "pods")},
				{Type: "Claims", Path: filepath.Join(i.root, "volumes")},
				{Type: "Logs", Path: logs},
			}
			for n := range rows {
				if err := rows[n].measure(); err != nil {
					return err
				}
			}
			store, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			list, err := store.list(cmd.Context())
			if err != nil {
				return err
			}
			rows[0].Count = len(list)
			if p, err := store.PruneImages(cmd.Context(), api.ImagePrune{All: true, DryRun: true}); err == nil {
				rows[0].Reclaimable = &p.Freed
			}
			if output == "json" {
				return json.NewEncoder(formatOutput(cmd, output)).Encode(rows)
			}
			if output != "" {
				return fmt.Errorf("unable to match a printer suitable for the output format %q, allowed formats are: json", output)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
			fmt.Fprintln(tw, "TYPE\tCOUNT\tSIZE\tRECLAIMABLE\tPATH")
			for n := range rows {
				r := &rows[n]
				reclaimable := "-"
				if r.Reclaimable != nil {
					reclaimable = printers.Size(*r.Reclaimable)
				}
				fmt.Fprintf(tw, "%s\t%d\t%s\t%s\t%s\n", r.Type, r.Count, printers.Size(r.Size), reclaimable, r.Path)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().StringVar(&i.root, "root", config.Default().Root, "folder of podd's images, containers and volumes")
	cmd.Flags().StringVar(&logs, "log-dir", config.Default().LogDir, "folder of the containers' logs")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	mustComplete(cmd, "output", completeWords("json"))
	return cmd
}

// measure adds up what the files below a folder take, each once however many names it has, on the folder's own file system:
// what is mounted below it is not podd's.
func (r *diskUse) measure() error {
	const block = 512 // of st_blocks, man 3type stat
	var device uint64
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	return filepath.WalkDir(r.Path, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile, or was never there
		}
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", r.Type, err)
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it went meanwhile
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		at := inode{uint64(st.Dev), st.Ino} //nolint:unconvert // is no uint64 everywhere
		switch {
		case path == r.Path:
			device = at.dev
		case at.dev != device && d.IsDir():
			return fs.SkipDir
		case filepath.Dir(path) == r.Path:
			r.Count++
		}
		if !seen[at] {
			seen[at] = true
			r.Size += st.Blocks * block
		}
		return nil
	})
}

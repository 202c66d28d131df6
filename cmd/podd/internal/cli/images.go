package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli/imageserve"
	"podd/cmd/podd/internal/cli/printers"
	"podd/cmd/podd/internal/cli/terminal"
	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	"podd/internal/escape"
	"podd/runtime/api"
)

// imageStore is the store of the daemon, or, when none runs, that on disk.
type imageStore interface {
	list(ctx context.Context) ([]api.ImageInfo, error)
	load(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error)
	loadFolder(ctx context.Context, path, name string) ([]api.ImageInfo, error)
	remove(ctx context.Context, ref string) ([]string, error)
	api.ImageKeeper
}

// images is what the image commands share.
type images struct {
	*options
	root string
}

func newImagesCommand(o *options) *cobra.Command {
	i := &images{options: o}
	ls := i.lsCommand()
	cmd := &cobra.Command{
		Use:     "images",
		Short:   "Show, pull, load, save, check and remove images",
		Example: "  podd images\n  podd images ls -o json",
		Args:    cobra.NoArgs,
		RunE:    ls.RunE, // without -o
	}
	cmd.PersistentFlags().StringVar(&i.root, "root", config.Default().Root, "folder of podd's images, used when no daemon answers")
	cmd.AddCommand(ls, i.pullCommand(), i.loadCommand(), i.rmCommand(), i.saveCommand(), i.tagCommand(), i.pinCommand(true), i.pinCommand(false), i.pruneCommand(), i.verifyCommand(), i.importCommand())
	cmd.AddCommand(i.lookCommands()...)
	cmd.AddCommand(imageserve.New(&i.root))
	return cmd
}

// store asks the daemon for its images to find out whether one is there.
func (i *images) store(ctx context.Context) (imageStore, error) {
	remote := &remoteImages{i.client()}
	_, err := remote.list(ctx)
	var none *client.NoDaemonError
	if errors.As(err, &none) {
		return openLocalImages(i.root, i.imageUse)
	}
	return remote, err
}

func (i *images) lsCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the images that pods can use",
		Example: "  podd images ls\n  podd images ls -o name",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			list, err := s.list(cmd.Context())
			if err != nil {
				return err
			}
			return printers.Images(formatOutput(cmd, output), list, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or name")
	mustComplete(cmd, "output", completeWords("json", "name"))
	return cmd
}

func (i *images) loadCommand() *cobra.Command {
	var name, progress string
	cmd := &cobra.Command{
		Use:   "load FILE|FOLDER|-",
		Short: "Load the images of an archive: OCI layout or docker save",
		Long: "Load the images of an archive of docker save, podman save or skopeo copy, packed or not: an OCI layout or what docker\n" +
			"save writes, as a file, a folder, or - for stdin. Of another folder all archives in it are loaded.",
		Example: "  podd images load busybox.tar\n  podman save app:1 | podd images load -\n  podd images load /media/usb/images",
		Args:    named("name a FILE, a FOLDER or - for stdin", cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			_, notes := rawOutput(cmd)
			show, err := printers.LoadTo(cmd.OutOrStdout(), notes, progress)
			if err != nil {
				return err
			}
			loaded, err := loadArchive(cmd, s, args[0], name, show)
			show.End()
			for _, img := range loaded {
				if progress == "json" {
					show.Step(args[0], api.PullStep{Status: "done", Image: &img})
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "loaded %s\n", escape.Line(printers.ImageTitle(&img)))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name for the archive's one image, instead of the name in it")
	cmd.Flags().StringVar(&progress, "progress", "auto", "auto (a bar on a terminal), plain or json: how much of a file was read")
	mustComplete(cmd, "progress", completeWords("auto", "plain", "json"))
	return cmd
}

func loadArchive(cmd *cobra.Command, s imageStore, path, name string, show printers.PullProgress) ([]api.ImageInfo, error) {
	if path == "-" {
		return s.load(cmd.Context(), cmd.InOrStdin(), api.ImageLoad{Name: name})
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load the archive: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot load the archive: %w", err)
	}
	if st.IsDir() {
		return loadDir(cmd, s, path, name, show)
	}
	shown := readSoFar{total: st.Size(), report: func(n int64) {
		show.Step(path, api.PullStep{Status: "loading", Layer: filepath.Base(path), Current: n, Total: st.Size()})
	}}
	return s.load(cmd.Context(), f, api.ImageLoad{Name: name, Source: path, Read: shown.read})
}

// loadDir loads a folder that is an image, or else the archives in it.
func loadDir(cmd *cobra.Command, s imageStore, path, name string, show printers.PullProgress) ([]api.ImageInfo, error) {
	switch {
	case hasFile(path, layoutFile):
		return s.loadFolder(cmd.Context(), path, name)
	case hasFile(path, dockerFile):
		return loadPacked(cmd.Context(), s, path, name)
	}
	archives, err := archivesIn(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot load the folder: %w", err)
	case len(archives) > 1 && name != "":
		return nil, fmt.Errorf("cannot load the folder %s: it has %d archives, and --name is for one", path, len(archives))
	}
	var all []api.ImageInfo
	var errs []error
	for _, archive := range archives {
		loaded, err := loadArchive(cmd, s, archive, name, show)
		all, errs = append(all, loaded...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// readSoFar reports how much of a file was read, at most a hundred times.
type readSoFar struct {
	mu                 sync.Mutex
	n, reported, total int64
	report             func(n int64)
}

func (r *readSoFar) read(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n += int64(n)
	if r.n-r.reported > r.total/100 || r.n == r.total && r.n > r.reported {
		r.reported = r.n
		r.report(r.n)
	}
}

func (i *images) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm IMAGE...",
		Aliases: []string{"remove"},
		Short:   "Remove images by name or ID",
		Example: "  podd images rm busybox:1.36",
		Args:    named("name an image, by its name or ID", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			var errs []error
			for _, ref := range args {
				removed, err := s.remove(cmd.Context(), ref)
				if err != nil {
					errs = append(errs, err)
				}
				for _, r := range removed {
					fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", escape.Line(r))
				}
			}
			return errors.Join(errs...)
		},
		ValidArgsFunction: i.completeImage,
	}
}

func (i *images) saveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "save IMAGE...",
		Short:   "Save images as an archive for podd, podman, skopeo, ctr and docker",
		Example: "  podd images save app:1 -o app.tar\n  podd images save app:1 | ssh board podd images load -",
		Args:    named("name an image, by its name or ID", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			if file != "" {
				return saveTo(file, func(w io.Writer) error { return s.SaveImages(cmd.Context(), args, w) })
			}
			out, _ := rawOutput(cmd)
			if f, ok := out.(*os.File); ok && terminal.Is(f) {
				return errors.New("an archive is nothing for a terminal: name a file with -o, or redirect the output")
			}
			return s.SaveImages(cmd.Context(), args, out)
		},
		ValidArgsFunction: i.completeImage,
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write instead of the output")
	return cmd
}

// saveTo leaves no half of an archive, and what was there as long as there is no whole one.
func saveTo(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.part")
	if err != nil {
		return fmt.Errorf("cannot save: %w", err)
	}
	err = write(f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (i *images) tagCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "tag IMAGE NAME",
		Short:   "Give an image one more name",
		Example: "  podd images tag app:1 app:stable",
		Args:    named("name an image, and the name that it is to have as well", cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			full, err := s.TagImage(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "tagged %s\n", escape.Line(full))
			return nil
		},
		ValidArgsFunction: i.completeImage,
	}
}

func (i *images) pinCommand(pin bool) *cobra.Command {
	cmd := &cobra.Command{Use: "pin IMAGE...", Short: "Keep images from being collected", Example: "  podd images pin app:1", ValidArgsFunction: i.completeImage}
	done := "pinned"
	if !pin {
		cmd.Use, cmd.Short, done = "unpin IMAGE...", "Let pinned images be collected again", "unpinned"
		cmd.Example = "  podd images unpin app:1"
	}
	cmd.Args = named("name an image, by its name or ID", cobra.ArbitraryArgs)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := i.store(cmd.Context())
		if err != nil {
			return err
		}
		var errs []error
		for _, ref := range args {
			full, err := s.PinImage(cmd.Context(), ref, pin)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, escape.Line(full))
		}
		return errors.Join(errs...)
	}
	return cmd
}

func (i *images) pruneCommand() *cobra.Command {
	var o api.ImagePrune
	cmd := &cobra.Command{
		Use:     "prune",
		Short:   "Remove images that have lost their name, or all that nobody needs",
		Example: "  podd images prune --all --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			p, err := s.PruneImages(cmd.Context(), o)
			what := "removed"
			if o.DryRun {
				what = "would remove"
			}
			for _, title := range p.Removed {
				fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", what, escape.Line(title))
			}
			if err == nil || len(p.Removed) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "%d bytes\n", p.Freed)
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&o.All, "all", "a", false, "all images that no pod, no manifest, no archive in the folder and no pin keeps")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would go")
	return cmd
}

func (i *images) verifyCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:     "verify [IMAGE...]",
		Short:   "Compare all files of images with what they were, and mend those that differ",
		Example: "  podd images verify\n  podd images verify --repair app:1",
		Long: "Compare all files of images with what they were when they came. A layer that differs is taken out of use.\n" +
			"With --repair the files that differ are mended, their content from the archive in the folder of archives.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := i.store(cmd.Context())
			if err != nil {
				return err
			}
			bad := 0
			err = s.VerifyImages(cmd.Context(), api.ImageVerify{Refs: args, Repair: repair}, func(v api.LayerVerified) {
				if printVerified(cmd.OutOrStdout(), v) {
					bad++
				}
			})
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d layers are not what they were", bad)
			}
			return err
		},
		ValidArgsFunction: i.completeImage,
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "mend the files that differ")
	return cmd
}

// printVerified says what became of a layer, and whether it is still not what it was.
func printVerified(w io.Writer, v api.LayerVerified) (bad bool) {
	verdict := "whole"
	switch {
	case v.Error != "":
		verdict, bad = v.Error, true
	case v.Mended:
		verdict = "mended"
	case len(v.Differences) > 0:
		verdict, bad = "damaged", true
	}
	fmt.Fprintf(w, "%s (%s): %s\n", escape.Line(v.Layer), escape.Line(strings.Join(v.Images, ", ")), escape.Line(verdict))
	for _, d := range v.Differences {
		fmt.Fprintf(w, "  %s: %s\n", escape.Line(d.Path), escape.Line(d.Problem))
	}
	return bad
}

func (i *images) completeImage(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	s, err := i.store(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := s.list(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, img := range list {
		names = append(names, completable(img.Names)...)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (i *images) pullCommand() *cobra.Command {
	var progress, platform string
	cmd := &cobra.Command{
		Use:     "pull IMAGE...",
		Short:   "Pull images from registries, as podd run is configured to",
		Example: "  podd images pull docker.io/library/busybox:1.36",
		Long: "Pull images from registries. The running podd pulls, with its configuration of registries and with the credentials\n" +
			"of the node; it goes on with what came of an earlier pull.",
		Args: named("name an image, such as busybox:1.36", cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, notes := rawOutput(cmd) // a terminal must be known as one; what is shown there is escaped by the printer
			show, err := printers.PullTo(cmd.OutOrStdout(), notes, progress)
			if err != nil {
				return err
			}
			var errs []error
			for _, ref := range args {
				if ref == "" { // a variable of a script that is not set
					errs = append(errs, errors.New("an image without a name cannot be pulled: name one, such as busybox:1.36"))
					continue
				}
				img, err := i.pull(cmd.Context(), ref, platform, show)
				show.End()
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if progress != "json" {
					fmt.Fprintf(cmd.OutOrStdout(), "pulled %s\n", escape.Line(printers.ImageTitle(img)))
				}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringVar(&progress, "progress", "auto", "auto (bars on a terminal), plain or json")
	cmd.Flags().StringVar(&platform, "platform", "", "such as linux/arm/v7, instead of this machine's")
	mustComplete(cmd, "progress", completeWords("auto", "plain", "json"))
	return cmd
}

// pull asks the daemon, and shows each step.
func (i *images) pull(ctx context.Context, ref, platform string, show printers.PullProgress) (*api.ImageInfo, error) {
	q := url.Values{"ref": {ref}}
	if platform != "" {
		q.Set("platform", platform)
	}
	resp, err := i.client().Do(ctx, http.MethodPost, imagesPath+"/pull", q, client.AcceptObject, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for in := json.NewDecoder(resp.Body); ; {
		var step api.PullStep
		if err := in.Decode(&step); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("podd has ended; what came is kept")
			}
			return nil, fmt.Errorf("cannot pull %s: %w", ref, err)
		}
		show.Step(ref, step)
		switch {
		case step.Error != "":
			return nil, errors.New(escape.Line(step.Error))
		case step.Image != nil:
			return step.Image, nil
		}
	}
}

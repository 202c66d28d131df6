package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"podd/internal/escape"
	"podd/runtime/manifest"
	"podd/runtime/manifest/fields"
	"podd/runtime/manifest/folder"
)

func newValidateCommand() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:     "validate -f FILE|FOLDER|-",
		Short:   "Say whether podd would run the pods of a manifest, without a daemon",
		Example: "  podd validate -f web.yaml\n  podd validate -f /etc/podd/manifests\n  kubectl kustomize site | podd validate -f -",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			files = append(files, args...)
			if len(files) == 0 {
				return errors.New("nothing to validate: name a file or folder with -f, or - for stdin")
			}
			return validate(cmd, files)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder of manifests, or - for stdin")
	return cmd
}

// validate prints a line for each document of all files; exit code 1 if one is not valid, or if there is none in a
// file or folder: a check that checks nothing must not pass.
func validate(cmd *cobra.Command, paths []string) error {
	valid := true
	var nothing []error
	for _, path := range paths {
		objects, problems, err := readObjects(cmd.InOrStdin(), path)
		if err != nil {
			return fmt.Errorf("cannot validate: %w", err)
		}
		for _, v := range verdicts(objects, problems) {
			fmt.Fprintln(cmd.OutOrStdout(), escape.Line(v.text))
		}
		if len(objects)+len(problems) == 0 {
			nothing = append(nothing, fmt.Errorf("no manifests in %s", path))
		}
		valid = valid && len(problems) == 0
	}
	if len(nothing) > 0 {
		return errors.Join(nothing...)
	}
	if !valid {
		return exitError(exitFailed)
	}
	return nil
}

// readObjects reads a file, or a folder as the daemon does.
func readObjects(stdin io.Reader, path string) ([]manifest.Object, []manifest.Problem, error) {
	if path == "-" {
		data, err := folder.ReadFrom(stdin)
		if err != nil {
			return nil, nil, err
		}
		objects, problems := manifest.Parse("stdin", data)
		return objects, problems, nil
	}
	st, err := os.Stat(path)
	if err != nil {
		if _, lerr := os.Lstat(path); lerr == nil && errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: it is a link to a file that does not exist; create the file or remove the link", path)
		}
		return nil, nil, err
	}
	if st.IsDir() {
		set := scanSettled(folder.Open(folder.Options{Dir: path}))
		return set.All(), set.Problems, nil
	}
	data, err := folder.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	objects, problems := manifest.Parse(path, data)
	return objects, problems, nil
}

// scanSettled judges a file that is young as if it had been left alone since: the daemon
// would wait for more of it, the user wants to know now.
func scanSettled(f *folder.Folder) manifest.Set {
	now := time.Now()
	set := f.Scan(now)
	if set.RecheckAfter > 0 {
		set = f.Scan(now.Add(set.RecheckAfter))
	}
	return set
}

type verdict struct {
	file string
	doc  int
	text string
}

// verdicts are in the order of files and their documents.
func verdicts(objects []manifest.Object, problems []manifest.Problem) []verdict {
	var list []verdict
	for i := range objects {
		o := &objects[i]
		name := o.Name
		if o.Namespace != "" {
			name = o.Namespace + "/" + o.Name
		}
		list = append(list, verdict{o.File, o.Doc, fmt.Sprintf("%s %s: valid", strings.ToLower(o.Kind), name)})
	}
	for i := range problems {
		list = append(list, verdict{problems[i].File, problems[i].Doc, problems[i].Message})
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return a.file < b.file || a.file == b.file && a.doc < b.doc
	})
	return list
}

func newFieldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "fields",
		Short:   "Print what podd does with each field of a pod",
		Example: "  podd fields | grep securityContext",
		Args:    cobra.NoArgs,
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

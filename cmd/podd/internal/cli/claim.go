package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/client"
)

func newBackupCommand(o *options) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:     "backup pvc NAME",
		Short:   "Write what a claim holds as a tar archive to stdout",
		Example: "  podd backup pvc data >data.tar",
		Args:    named("name a claim, as in podd backup pvc NAME >FILE", cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := claimPath(namespace, args)
			if err != nil {
				return err
			}
			resp, err := o.client().Do(cmd.Context(), http.MethodGet, "/podd/v1/"+path+"/tar", nil, "application/x-tar", nil)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			out, _ := rawOutput(cmd)
			if _, err := io.Copy(out, resp.Body); err != nil {
				return fmt.Errorf("the archive is not whole: %w", err)
			}
			return nil
		},
	}
	addNamespace(cmd, &namespace)
	return cmd
}

func newRestoreCommand(o *options) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:     "restore pvc NAME",
		Short:   "Put a tar archive from stdin in the place of what a claim holds",
		Example: "  podd restore pvc data <data.tar",
		Args:    named("name a claim, as in podd restore pvc NAME <FILE", cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := claimPath(namespace, args)
			if err != nil {
				return err
			}
			resp, err := o.client().Do(cmd.Context(), http.MethodPut, "/podd/v1/"+path+"/tar", nil, client.AcceptObject, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return resp.Body.Close()
		},
	}
	addNamespace(cmd, &namespace)
	return cmd
}

// claimPath reads "pvc NAME" or "pvc/NAME".
func claimPath(namespace string, args []string) (string, error) {
	r, names, err := parseTarget(args)
	switch {
	case err != nil:
		return "", err
	case r.plural != "persistentvolumeclaims":
		return "", fmt.Errorf("only claims hold data, not %s", r.plural)
	case len(names) != 1:
		return "", errors.New("name one claim")
	}
	return "namespaces/" + url.PathEscape(namespace) + "/persistentvolumeclaims/" + url.PathEscape(names[0]), nil
}

// deleteClaims removes what claims hold.
func (d *remove) deleteClaims(ctx context.Context, out io.Writer, r objectType, names []string) error {
	var errs []error
	for _, name := range names {
		resp, err := d.client().Do(ctx, http.MethodDelete, r.path(d.namespace, name), nil, client.AcceptObject, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_ = resp.Body.Close()
		fmt.Fprintf(out, "persistentvolumeclaim %q deleted\n", name)
	}
	return errors.Join(errs...)
}

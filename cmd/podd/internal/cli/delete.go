package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
)

// remove is one `podd delete`.
type remove struct {
	*options
	namespace  string
	grace      int64 // seconds; -1: the pod's own
	now, force bool
}

func newDeleteCommand(o *options) *cobra.Command {
	d := &remove{options: o}
	cmd := &cobra.Command{
		Use:     "delete pod NAME...",
		Short:   "End pods, which start anew while their manifests stay, or remove what claims (pvc) hold",
		Example: "  podd delete pod web\n  podd delete pod web --now\n  podd delete pvc data",
		Args:    named("name a pod to delete, as in podd delete pod NAME", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd.Context(), cmd.OutOrStdout(), args)
		},
		ValidArgsFunction: completePods(o),
	}
	addNamespace(cmd, &d.namespace)
	f := cmd.Flags()
	f.Int64Var(&d.grace, "grace-period", -1, "seconds that a pod has to end (-1: what its manifest says; 0 only with --force)")
	f.BoolVar(&d.now, "now", false, "give it one second")
	f.BoolVar(&d.force, "force", false, "give it no time at all")
	return cmd
}

func (d *remove) run(ctx context.Context, out io.Writer, args []string) error {
	r, names, err := parseTarget(args)
	switch {
	case err != nil:
		return err
	case r.plural != "pods" && r.plural != "persistentvolumeclaims":
		return fmt.Errorf("only pods and persistentvolumeclaims can be deleted, not %s", r.plural)
	case len(names) == 0:
		return errors.New("name a pod to delete, as in podd delete pod NAME")
	case r.plural != "pods":
		return d.deleteClaims(ctx, out, r, names)
	}
	body, err := d.body()
	if err != nil {
		return err
	}
	said := "deleted"
	if d.force {
		said = "force deleted"
	}
	var errs []error
	for _, name := range names {
		resp, err := d.client().Do(ctx, http.MethodDelete, client.PodPath(d.namespace, name), nil, client.AcceptObject, bytes.NewReader(body))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		resp.Body.Close()
		fmt.Fprintf(out, "pod %q %s\n", name, said)
	}
	return errors.Join(errs...)
}

// body is the request's metav1.DeleteOptions. As with kubectl, a pod gets less than a second only by --force.
func (d *remove) body() ([]byte, error) {
	o := metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}}
	grace := d.grace
	switch {
	case grace < -1:
		return nil, errors.New("--grace-period must be greater than or equal to -1")
	case d.now && grace >= 0:
		return nil, errors.New("--now and --grace-period cannot be specified together")
	case d.force && (d.now || grace > 0):
		return nil, errors.New("--force and --grace-period greater than 0 cannot be specified together")
	case d.force:
		grace = 0
	case d.now, grace == 0:
		grace = 1
	}
	if grace >= 0 {
		o.GracePeriodSeconds = &grace
	}
	b, err := json.Marshal(&o)
	if err != nil {
		return nil, fmt.Errorf("cannot ask for a deletion: %w", err)
	}
	return b, nil
}

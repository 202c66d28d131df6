package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"podd/cmd/podd/internal/cli/rollout"
	"podd/cmd/podd/internal/client"
)

func newRestartCommand(o *options) *cobra.Command {
	r := &restart{remove: remove{options: o}}
	cmd := &cobra.Command{
		Use:   "restart (POD|KIND/NAME)...",
		Short: "End pods so that they start anew, or give the pods of workloads successors",
		Long: "End pods so that they start anew from their manifests, with new containers and pulled images where their policy\n" +
			"says so. A Deployment, StatefulSet or DaemonSet is restarted as by podd rollout restart. It does not wait: podd get\n" +
			"pods -w shows the rest. Volumes of claims keep their data; an emptyDir is empty again.",
		Example: "  podd restart web\n  podd restart -n shop deployment/front statefulset/db",
		Args:    named("name a pod or a workload to restart, as in podd restart POD or podd restart deployment/NAME", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd.Context(), cmd.OutOrStdout(), args)
		},
		ValidArgsFunction: completePod(o),
	}
	addNamespace(cmd, &r.namespace)
	cmd.Flags().Int64Var(&r.grace, "grace-period", -1, "seconds that a pod has to end (-1: what its manifest says)")
	cmd.Flags().BoolVar(&r.now, "now", false, "give it one second")
	return cmd
}

// restart is one `podd restart`.
type restart struct{ remove }

func (r *restart) run(ctx context.Context, out io.Writer, args []string) error {
	body, err := r.body()
	if err != nil {
		return err
	}
	if t, err := parseResource(args[0]); err == nil && len(args) > 1 { // podd restart deployment NAME
		for i, name := range args[1:] {
			args[i+1] = t.full(name)
		}
		args = args[1:]
	}
	var errs []error
	for _, arg := range args {
		errs = append(errs, r.one(ctx, out, arg, body))
	}
	return errors.Join(errs...)
}

func (r *restart) one(ctx context.Context, out io.Writer, arg string, body []byte) error {
	name, err := podName(arg)
	if err != nil {
		t, names, err := parseTarget([]string{arg})
		if err != nil {
			return err
		}
		if !slices.Contains([]string{"deployments", "statefulsets", "daemonsets"}, t.plural) {
			return fmt.Errorf("%s cannot be restarted: name a pod, deployment, statefulset or daemonset", t.plural)
		}
		of := rolloutType(t)
		return rollout.Restart(ctx, r.client(), out, &of, r.namespace, names[0])
	}
	// The daemon warns of what is wanted here: that the pod starts anew.
	resp, err := client.New(r.socket, io.Discard).Do(ctx, http.MethodDelete, client.PodPath(r.namespace, name), nil, client.AcceptObject, bytes.NewReader(body))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	fmt.Fprintf(out, "pod %q restarting\n", name)
	return nil
}

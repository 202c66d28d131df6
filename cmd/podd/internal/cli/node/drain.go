package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
)

// drain is one `podd drain`.
type drain struct {
	client *client.Client
	out    io.Writer
	errOut io.Writer

	ignoreDaemonSets, deleteEmptyDirs, force, disableEviction bool
	grace                                                     int64 // seconds; -1: each pod's own
	timeout                                                   time.Duration
	podSelector                                               string
	dryRun                                                    bool

	look, again time.Duration // how often it looks whether pods are gone, and asks again for a pod that its budget keeps
}

func newDrainCommand(o *Options) *cobra.Command {
	d := &drain{look: time.Second / 2, again: 5 * time.Second}
	var dryRun string
	cmd := &cobra.Command{
		Use:   "drain [NODE]",
		Short: "Cordon the board, and evict the pods that controllers have made",
		Long: `Cordon the board, evict the pods that controllers have made, and wait until they have ended.

Evictions honour PodDisruptionBudgets: a pod that its budget keeps is asked for again. Pods of the folder are static pods and
stay, as on every node: remove their files, or stop podd. Pods of DaemonSets would come again at once: --ignore-daemonsets leaves
them. The board stays cordoned until podd uncordon.`,
		Example: `  # Drain the board, but for the pods of DaemonSets, and lose what is in emptyDirs
  podd drain --ignore-daemonsets --delete-emptydir-data

  # Give each pod at most a minute, and all of them ten
  podd drain --ignore-daemonsets --grace-period=60 --timeout=10m

  # Say what would be evicted
  podd drain --ignore-daemonsets --dry-run=client`,
		Args: oneNode,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.dryRun, err = isClientDryRun(dryRun); err != nil {
				return err
			}
			d.client, d.out, d.errOut = o.Client(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context(), args)
		},
		ValidArgsFunction: o.Complete,
	}
	f := cmd.Flags()
	f.BoolVar(&d.ignoreDaemonSets, "ignore-daemonsets", false, "leave the pods of DaemonSets")
	f.BoolVar(&d.deleteEmptyDirs, "delete-emptydir-data", false, "evict pods that have emptyDirs, too: what is in them is lost")
	f.BoolVar(&d.force, "force", false, "go on although there are pods that no controller has made; those of the folder stay all the same")
	f.Int64Var(&d.grace, "grace-period", -1, "seconds that each pod has to end (-1: its own)")
	f.DurationVar(&d.timeout, "timeout", 0, "give up after this time (0: never)")
	f.StringVar(&d.podSelector, "pod-selector", "", "only pods with these labels")
	f.BoolVar(&d.disableEviction, "disable-eviction", false, "delete the pods instead of evicting them: their disruption budgets do not count")
	addDryRun(cmd, &dryRun)
	return cmd
}

func (d *drain) run(ctx context.Context, args []string) error {
	if d.grace < -1 {
		return errors.New("--grace-period must be greater than or equal to -1")
	}
	n, err := theNode(ctx, d.client, args)
	if err != nil {
		return err
	}
	if err := cordon(ctx, d.out, d.client, args, true, d.dryRun); err != nil {
		return err
	}
	pods, err := d.pods(ctx)
	if err != nil {
		return fmt.Errorf("unable to drain node %q: %w", n.Name, err)
	}
	if d.dryRun {
		for i := range pods {
			fmt.Fprintf(d.out, "evicting pod %s/%s (dry run)\n", pods[i].Namespace, pods[i].Name)
		}
		fmt.Fprintf(d.out, "node/%s drained (dry run)\n", n.Name)
		return nil
	}
	within := ctx
	if d.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	if err := d.evictAll(within, pods); err != nil {
		if within.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("drain did not complete within %v", d.timeout)
		}
		return err
	}
	fmt.Fprintf(d.out, "node/%s drained\n", n.Name)
	return nil
}

// pods are those that are to go. The error names those that nothing was said about, in kubectl's words.
func (d *drain) pods(ctx context.Context) ([]corev1.Pod, error) {
	all, err := d.list(ctx)
	if err != nil {
		return nil, err
	}
	var leave []corev1.Pod
	var static, daemons, local []string
	for i := range all {
		p := &all[i]
		name := p.Namespace + "/" + p.Name
		over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		owner := metav1.GetControllerOf(p)
		switch {
		case owner == nil:
			static = append(static, name)
			continue
		case p.Spec.NodeName == "":
			continue // it is not on the board
		case owner.Kind == "DaemonSet" && !over:
			daemons = append(daemons, name)
			continue
		case !over && hasEmptyDir(p) && !d.deleteEmptyDirs:
			local = append(local, name)
			continue
		}
		leave = append(leave, *p)
	}
	var problems []string
	if len(daemons) > 0 && !d.ignoreDaemonSets {
		problems = append(problems, "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): "+strings.Join(daemons, ", "))
	}
	if len(local) > 0 {
		problems = append(problems, "cannot delete Pods with local storage (use --delete-emptydir-data to override): "+strings.Join(local, ", "))
	}
	if len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, ", "))
	}
	if len(daemons) > 0 {
		fmt.Fprintln(d.errOut, "Warning: ignoring DaemonSet-managed Pods: "+strings.Join(daemons, ", "))
	}
	if len(static) > 0 {
		fmt.Fprintln(d.errOut, "Warning: pods of the folder stay: "+strings.Join(static, ", "))
	}
	return leave, nil
}

// list asks for the pods that the selector leaves.
func (d *drain) list(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	q := url.Values{}
	if d.podSelector != "" {
		q.Set("labelSelector", d.podSelector)
	}
	err := d.client.Object(ctx, "/api/v1/pods", q, client.AcceptObject, &list)
	return list.Items, err
}

func hasEmptyDir(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil })
}

// evictAll evicts pods and waits until they are gone.
func (d *drain) evictAll(ctx context.Context, pods []corev1.Pod) error {
	type leaving struct {
		pod   *corev1.Pod
		asked bool
		next  time.Time
	}
	left := make([]*leaving, 0, len(pods))
	for i := range pods {
		left = append(left, &leaving{pod: &pods[i]})
		fmt.Fprintf(d.out, "evicting pod %s/%s\n", pods[i].Namespace, pods[i].Name)
	}
	for {
		still := left[:0:0]
		for _, l := range left {
			p := l.pod
			if !l.asked && !time.Now().Before(l.next) {
				switch err := d.end(ctx, p); {
				case err == nil:
					l.asked = true
				case apierrors.IsNotFound(err), apierrors.IsConflict(err):
					continue // it is another one of its name
				case apierrors.IsTooManyRequests(err):
					fmt.Fprintf(d.errOut, "error when evicting pods/%q -n %q (will retry after %v): %v\n", p.Name, p.Namespace, d.again, err)
					l.next = time.Now().Add(d.again)
				default:
					return fmt.Errorf("error when evicting pods/%q -n %q: %w", p.Name, p.Namespace, err)
				}
			}
			if l.asked {
				gone, err := d.gone(ctx, p)
				if err != nil {
					return fmt.Errorf("error when waiting for pod %q in namespace %q to terminate: %w", p.Name, p.Namespace, err)
				}
				if gone {
					fmt.Fprintf(d.out, "pod/%s %s\n", p.Name, map[bool]string{true: "deleted", false: "evicted"}[d.disableEviction])
					continue
				}
			}
			still = append(still, l)
		}
		if left = still; len(left) == 0 {
			return nil
		}
		select {
		case <-time.After(d.look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end asks for the end of a pod.
func (d *drain) end(ctx context.Context, p *corev1.Pod) error {
	o := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}}
	if d.grace >= 0 {
		o.GracePeriodSeconds = &d.grace
	}
	method, path, body := http.MethodDelete, client.PodPath(p.Namespace, p.Name), any(&o)
	if !d.disableEviction {
		method, path = http.MethodPost, path+"/eviction"
		body = &policyv1.Eviction{
			TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
			ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, DeleteOptions: &o,
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := d.client.Do(ctx, method, path, nil, client.AcceptObject, bytes.NewReader(data))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// gone says whether a pod has ended. One of the folder that a workload has adopted begins anew, under its name and UID.
func (d *drain) gone(ctx context.Context, p *corev1.Pod) (bool, error) {
	var now corev1.Pod
	err := d.client.Object(ctx, client.PodPath(p.Namespace, p.Name), nil, client.AcceptObject, &now)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return now.UID != p.UID || !now.CreationTimestamp.Equal(&p.CreationTimestamp), err
}

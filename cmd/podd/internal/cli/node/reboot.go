package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/logind"
)

// untilBoot is the annotation of a node that its next boot uncordons.
const untilBoot = "podd.dev/uncordon-after-boot"

// verb is a way in which a board goes down: what logind calls it, and what is said of it.
type verb struct{ name, way, short, going string }

func reboots() verb {
	return verb{"reboot", logind.Reboot, "Drain the board and reboot it; what was evicted starts again after the boot", "is rebooting"}
}

func powersOff() verb {
	return verb{"poweroff", logind.PowerOff, "Drain the board and switch it off; what was evicted starts again after the next boot", "is going off"}
}

// reboot is one `podd reboot` or `podd poweroff`.
type reboot struct {
	drain
	verb verb
	// answers says why logind cannot be asked; goDown asks it.
	answers func(ctx context.Context) error
	goDown  func(ctx context.Context, way string) error
}

func newRebootCommand(o *Options, v verb) *cobra.Command {
	r := &reboot{drain: drain{look: time.Second / 2, again: 5 * time.Second}, verb: v, answers: o.Answers, goDown: o.GoDown}
	if r.answers == nil {
		bus := cmp.Or(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), logind.DefaultBus)
		r.answers = func(ctx context.Context) error { return logind.Answers(ctx, bus) }
		r.goDown = func(ctx context.Context, way string) error { return logind.GoDown(ctx, bus, way) }
	}
	var dryRun string
	cmd := &cobra.Command{
		Use:   v.name + " [NODE]",
		Short: v.short,
		Long: `Cordon the board, evict the pods that controllers have made, those of low priority first, and ask systemd-logind to ` + v.name + `.

Evictions honour PodDisruptionBudgets and graces. If not all pods have gone within --timeout the board stays up, and takes pods
again; with --force it goes down all the same. Pods of the folder and of DaemonSets end with the board, in the order and within
the time that the configuration gives them (shutdownGracePeriod). After the boot all of them start again, and the board takes
pods of controllers, unless it was cordoned before.`,
		Example: `  # ` + strings.ToUpper(v.name[:1]) + v.name[1:] + ` as soon as all pods have gone, within ten minutes
  podd ` + v.name + ` --timeout=10m

  # Do not wait for a budget for ever: go down after a minute
  podd ` + v.name + ` --timeout=1m --force`,
		Args: oneNode,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.dryRun, err = isClientDryRun(dryRun); err != nil {
				return err
			}
			r.client, r.out, r.errOut = o.Client(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return r.run(cmd.Context(), args)
		},
		ValidArgsFunction: o.Complete,
	}
	f := cmd.Flags()
	f.BoolVar(&r.force, "force", false, "go down after --timeout although not all pods have gone")
	f.Int64Var(&r.grace, "grace-period", -1, "seconds that each pod that is evicted has to end (-1: its own)")
	f.DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait for all pods to go (0: for ever)")
	addDryRun(cmd, &dryRun)
	return cmd
}

func (r *reboot) run(ctx context.Context, args []string) error {
	if r.grace < -1 {
		return errors.New("--grace-period must be greater than or equal to -1")
	}
	if err := r.answers(ctx); err != nil {
		return fmt.Errorf("podd has nobody to ask for a %s: %w; podd drain makes the board ready, then %s it as you are used to", r.verb.name, err, r.verb.name)
	}
	n, err := theNode(ctx, r.client, args)
	if err != nil {
		return err
	}
	groups, err := r.groups(ctx)
	if err != nil {
		return err
	}
	if r.dryRun {
		r.printDryRun(n.Name, groups)
		return nil
	}
	if !n.Spec.Unschedulable {
		patch := map[string]any{"metadata": map[string]any{"annotations": map[string]any{untilBoot: "true"}}, "spec": map[string]any{"unschedulable": true}}
		if err := r.client.Patch(ctx, "/api/v1/nodes/"+n.Name, patch); err != nil {
			return err
		}
		fmt.Fprintf(r.out, "node/%s cordoned\n", n.Name)
	}
	if err = r.empty(ctx, groups); err == nil {
		err = r.goDown(ctx, r.verb.way)
	}
	if err != nil {
		return errors.Join(err, r.stay(context.WithoutCancel(ctx), n))
	}
	fmt.Fprintf(r.out, "node/%s %s\n", n.Name, r.verb.going)
	return nil
}

// stay takes pods again on a board that does not go down, if it took them before.
func (r *reboot) stay(ctx context.Context, n *corev1.Node) error {
	if n.Spec.Unschedulable && n.Annotations[untilBoot] == "" {
		return nil
	}
	return cordon(ctx, r.out, r.client, []string{n.Name}, false, false)
}

// empty evicts one group after another. With --force pods that are left when the time is over do not matter.
func (r *reboot) empty(ctx context.Context, groups [][]corev1.Pod) error {
	within := ctx
	if r.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, r.timeout)
		defer cancel()
	}
	for _, pods := range groups {
		err := r.evictAll(within, pods)
		switch {
		case err == nil:
			continue
		case within.Err() == nil || ctx.Err() != nil:
			return err
		case !r.force:
			return fmt.Errorf("not all pods have gone within %v, and the board stays up: --force lets it go down all the same", r.timeout)
		}
		fmt.Fprintf(r.errOut, "Warning: not all pods have gone within %v: those that are left end with the board\n", r.timeout)
		return nil
	}
	return nil
}

// groups are the pods that have to go before the board does, by priority, the lowest first. What ends with the board is not
// among them: pods of the folder, and those of DaemonSets.
func (r *reboot) groups(ctx context.Context) ([][]corev1.Pod, error) {
	all, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	leave := slices.DeleteFunc(all, func(p corev1.Pod) bool {
		owner := metav1.GetControllerOfNoCopy(&p)
		return owner == nil || owner.Kind == "DaemonSet" || p.Spec.NodeName == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	sort.SliceStable(leave, func(i, j int) bool { return priority(&leave[i]) < priority(&leave[j]) })
	var groups [][]corev1.Pod
	for i := range leave {
		if i == 0 || priority(&leave[i]) != priority(&leave[i-1]) {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], leave[i])
	}
	return groups, nil
}

func priority(p *corev1.Pod) int32 {
	if v := p.Spec.Priority; v != nil {
		return *v
	}
	return 0
}

func (r *reboot) printDryRun(name string, groups [][]corev1.Pod) {
	fmt.Fprintf(r.out, "node/%s cordoned (dry run)\n", name)
	for _, pods := range groups {
		for i := range pods {
			fmt.Fprintf(r.out, "evicting pod %s/%s (dry run)\n", pods[i].Namespace, pods[i].Name)
		}
	}
	fmt.Fprintf(r.out, "node/%s %s (dry run)\n", name, r.verb.going)
}

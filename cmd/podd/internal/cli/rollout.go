package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"podd/cmd/podd/internal/client"
	"podd/runtime/manifest/annotation"
)

// rollout is one `podd rollout`.
type rollout struct {
	*options
	namespace string
	revision  int64
	watch     bool
	timeout   time.Duration
	out       io.Writer
}

func newRolloutCommand(o *options) *cobra.Command {
	r := &rollout{options: o}
	cmd := &cobra.Command{
		Use:     "rollout (status|history|undo|restart|pause|resume) KIND/NAME",
		Short:   "Follow, undo or restart the rollout of a Deployment, StatefulSet or DaemonSet",
		Example: "  podd rollout status deployment/front\n  podd rollout undo deployment/front --to-revision=2",
	}
	add := func(use, short string, do func(ctx context.Context, t objectType, name string) error) *cobra.Command {
		c := &cobra.Command{
			Use: use + " KIND/NAME", Short: short, Example: "  podd rollout " + use + " deployment/front",
			Args: named("name a workload, as in podd rollout "+use+" deployment/NAME", cobra.ArbitraryArgs),
			RunE: func(cmd *cobra.Command, args []string) error {
				r.out = cmd.OutOrStdout()
				t, names, err := parseTarget(args)
				if err != nil {
					return err
				}
				if !slices.Contains([]string{"deployments", "statefulsets", "daemonsets"}, t.plural) {
					return fmt.Errorf("%s have no rollouts: name a deployment, statefulset or daemonset", t.plural)
				}
				if len(names) == 0 {
					return errors.New("name a workload, as in podd rollout " + use + " deployment/NAME")
				}
				var errs []error
				for _, name := range names {
					errs = append(errs, do(cmd.Context(), t, name))
				}
				return errors.Join(errs...)
			},
			ValidArgsFunction: completeGet(o),
		}
		addNamespace(c, &r.namespace)
		cmd.AddCommand(c)
		return c
	}
	status := add("status", "Wait until a rollout is done", r.status)
	status.Flags().BoolVarP(&r.watch, "watch", "w", true, "wait until it is done")
	status.Flags().DurationVar(&r.timeout, "timeout", 0, "how long to wait (0: until it is done)")
	history := add("history", "List the revisions that are kept", r.history)
	history.Flags().Int64Var(&r.revision, "revision", 0, "show the pods of this revision")
	undo := add("undo", "Put an earlier revision back, until the file changes", r.undo)
	undo.Flags().Int64Var(&r.revision, "to-revision", 0, "the revision (0: the one before)")
	add("restart", "Give all pods successors", func(ctx context.Context, t objectType, name string) error {
		return r.post(ctx, t, name, "restart", nil)
	})
	add("pause", "Hold back the next rollout of a Deployment", func(ctx context.Context, t objectType, name string) error {
		return r.pause(ctx, t, name, true)
	})
	add("resume", "Let a Deployment that was paused go on", func(ctx context.Context, t objectType, name string) error {
		return r.pause(ctx, t, name, false)
	})
	return cmd
}

func (t *objectType) full(name string) string {
	if t.group == "" {
		return t.singular + "/" + name
	}
	return t.singular + "." + t.group + "/" + name
}

func (r *rollout) post(ctx context.Context, t objectType, name, verb string, q url.Values) error {
	path := "/podd/v1/namespaces/" + url.PathEscape(r.namespace) + "/" + t.plural + "/" + url.PathEscape(name) + "/" + verb
	resp, err := r.client().Do(ctx, http.MethodPost, path, q, client.AcceptObject, nil)
	if err != nil {
		return err
	}
	var said metav1.Status
	if err := client.Decode(resp, &said); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s %s\n", t.full(name), said.Message)
	return nil
}

func (r *rollout) undo(ctx context.Context, t objectType, name string) error {
	return r.post(ctx, t, name, "undo", url.Values{"toRevision": {strconv.FormatInt(r.revision, 10)}})
}

func (r *rollout) pause(ctx context.Context, t objectType, name string, paused bool) error {
	said := "resumed"
	if paused {
		said = "paused"
	}
	if t.plural != "deployments" {
		return fmt.Errorf("only deployments can be %s, not %s", said, t.plural)
	}
	var value any
	if paused {
		value = true
	}
	if err := r.client().Patch(ctx, t.path(r.namespace, name), map[string]any{"spec": map[string]any{"paused": value}}); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s %s\n", t.full(name), said)
	return nil
}

// status prints how far a rollout is until it is done.
func (r *rollout) status(ctx context.Context, t objectType, name string) error {
	if r.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.timeout)
		defer cancel()
	}
	var first json.RawMessage
	if err := r.client().Object(ctx, t.path(r.namespace, name), nil, client.AcceptObject, &first); err != nil {
		return err
	}
	last := ""
	look := func(data []byte) (done bool, err error) {
		text, done, err := progress(t.plural, name, data)
		if err == nil && text != last {
			fmt.Fprint(r.out, text)
			last = text
		}
		return done, err
	}
	done, err := look(first)
	if done || err != nil || !r.watch {
		return err
	}
	return r.follow(ctx, t, name, look)
}

// follow hands on each version of an object until one is enough.
func (r *rollout) follow(ctx context.Context, t objectType, name string, look func(data []byte) (bool, error)) error {
	q := url.Values{"watch": {"1"}, "fieldSelector": {"metadata.name=" + name}}
	resp, err := r.client().Get(ctx, t.path(r.namespace, ""), q, client.AcceptObject)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); ; {
		var e struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := dec.Decode(&e); err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errors.New("timed out waiting for the condition")
			}
			return fmt.Errorf("the daemon does not tell any more: %w", err)
		}
		switch e.Type {
		case "DELETED":
			return errors.New("object has been deleted")
		case "ADDED", "MODIFIED":
			if done, err := look(e.Object); done || err != nil {
				return err
			}
		}
	}
}

// progress says how far a rollout is, in kubectl's words (kubectl pkg/polymorphichelpers, rollout_status.go).
func progress(plural, name string, data []byte) (text string, done bool, err error) {
	switch plural {
	case "deployments":
		var d appsv1.Deployment
		if err := json.Unmarshal(data, &d); err != nil {
			return "", false, err
		}
		return deploymentProgress(&d)
	case "daemonsets":
		var d appsv1.DaemonSet
		if err := json.Unmarshal(data, &d); err != nil {
			return "", false, err
		}
		s := &d.Status
		if err := refused(&d, s.ObservedGeneration); err != nil {
			return "", true, err
		}
		switch waiting := fmt.Sprintf("Waiting for daemon set %q rollout to finish: ", name); {
		case d.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType:
			return "", true, errors.New("rollout status is only available for RollingUpdate strategy type")
		case d.Generation > s.ObservedGeneration:
			return "Waiting for daemon set spec update to be observed...\n", false, nil
		case s.UpdatedNumberScheduled < s.DesiredNumberScheduled:
			return fmt.Sprintf("%s%d out of %d new pods have been updated...\n", waiting, s.UpdatedNumberScheduled, s.DesiredNumberScheduled), false, nil
		case s.NumberAvailable < s.DesiredNumberScheduled:
			return fmt.Sprintf("%s%d of %d updated pods are available...\n", waiting, s.NumberAvailable, s.DesiredNumberScheduled), false, nil
		}
		return fmt.Sprintf("daemon set %q successfully rolled out\n", name), true, nil
	}
	var set appsv1.StatefulSet
	if err := json.Unmarshal(data, &set); err != nil {
		return "", false, err
	}
	return statefulProgress(&set)
}

func deploymentProgress(d *appsv1.Deployment) (text string, done bool, err error) {
	s := &d.Status
	if err := refused(d, s.ObservedGeneration); err != nil {
		return "", true, err
	}
	if d.Generation > s.ObservedGeneration {
		return "Waiting for deployment spec update to be observed...\n", false, nil
	}
	for _, c := range s.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			return "", true, fmt.Errorf("deployment %q exceeded its progress deadline", d.Name)
		}
	}
	waiting := fmt.Sprintf("Waiting for deployment %q rollout to finish: ", d.Name)
	switch {
	case d.Spec.Replicas != nil && s.UpdatedReplicas < *d.Spec.Replicas:
		return fmt.Sprintf("%s%d out of %d new replicas have been updated...\n", waiting, s.UpdatedReplicas, *d.Spec.Replicas), false, nil
	case s.Replicas > s.UpdatedReplicas:
		return fmt.Sprintf("%s%d old replicas are pending termination...\n", waiting, s.Replicas-s.UpdatedReplicas), false, nil
	case s.AvailableReplicas < s.UpdatedReplicas:
		return fmt.Sprintf("%s%d of %d updated replicas are available...\n", waiting, s.AvailableReplicas, s.UpdatedReplicas), false, nil
	}
	return fmt.Sprintf("deployment %q successfully rolled out\n", d.Name), true, nil
}

func statefulProgress(set *appsv1.StatefulSet) (text string, done bool, err error) {
	s, u := &set.Status, &set.Spec.UpdateStrategy
	replicas := int32(1)
	if set.Spec.Replicas != nil {
		replicas = *set.Spec.Replicas
	}
	if err := refused(set, s.ObservedGeneration); err != nil {
		return "", true, err
	}
	switch {
	case u.Type != appsv1.RollingUpdateStatefulSetStrategyType:
		return "", true, fmt.Errorf("rollout status is only available for %s strategy type", appsv1.RollingUpdateStatefulSetStrategyType)
	case s.ObservedGeneration == 0 || set.Generation > s.ObservedGeneration:
		return "Waiting for statefulset spec update to be observed...\n", false, nil
	case s.ReadyReplicas < replicas:
		return fmt.Sprintf("Waiting for %d pods to be ready...\n", replicas-s.ReadyReplicas), false, nil
	case u.RollingUpdate != nil && u.RollingUpdate.Partition != nil && *u.RollingUpdate.Partition > 0:
		if want := replicas - *u.RollingUpdate.Partition; s.UpdatedReplicas < want {
			return fmt.Sprintf("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...\n", s.UpdatedReplicas, want), false, nil
		}
		return fmt.Sprintf("partitioned roll out complete: %d new pods have been updated...\n", s.UpdatedReplicas), true, nil
	case s.UpdateRevision != s.CurrentRevision:
		return fmt.Sprintf("waiting for statefulset rolling update to complete %d pods at revision %s...\n", s.UpdatedReplicas, s.UpdateRevision), false, nil
	}
	return fmt.Sprintf("statefulset rolling update complete %d pods at revision %s...\n", s.CurrentReplicas, s.CurrentRevision), true, nil
}

// refused is the error about a workload of which no version was taken; what is shown stands for it.
func refused(o metav1.Object, observed int64) error {
	if reason, _ := annotation.ProblemOf(o); reason != "" && observed == 0 {
		return fmt.Errorf("%q has no rollout: its manifest was refused (%s)", o.GetName(), reason)
	}
	return nil
}

// version is one revision that is kept.
type version struct {
	number int64
	cause  string
	spec   any
}

// history lists the revisions that are kept.
func (r *rollout) history(ctx context.Context, t objectType, name string) error {
	var owner metav1.PartialObjectMetadata
	if err := r.client().Object(ctx, t.path(r.namespace, name), nil, client.AcceptObject, &owner); err != nil {
		return err
	}
	versions, err := r.versions(ctx, t, owner.UID)
	if err != nil {
		return err
	}
	slices.SortFunc(versions, func(a, b version) int { return cmp.Compare(a.number, b.number) })
	if r.revision > 0 {
		i := slices.IndexFunc(versions, func(v version) bool { return v.number == r.revision })
		if i < 0 {
			return fmt.Errorf("unable to find the specified revision %d", r.revision)
		}
		data, err := json.MarshalIndent(versions[i].spec, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, "%s with revision #%d\n%s\n", t.full(name), r.revision, data)
		return nil
	}
	fmt.Fprintf(r.out, "%s \n", t.full(name))
	tw := tabwriter.NewWriter(r.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "REVISION\tCHANGE-CAUSE")
	for _, v := range versions {
		fmt.Fprintf(tw, "%d\t%s\n", v.number, cmp.Or(v.cause, "<none>"))
	}
	fmt.Fprintln(tw)
	return tw.Flush()
}

const changeCause = "kubernetes.io/change-cause"

func (r *rollout) versions(ctx context.Context, t objectType, owner types.UID) ([]version, error) {
	kind := "controllerrevisions"
	if t.plural == "deployments" {
		kind = "replicasets"
	}
	of, err := parseResource(kind)
	if err != nil {
		return nil, err
	}
	owned := func(o metav1.Object) bool {
		ref := metav1.GetControllerOfNoCopy(o)
		return ref != nil && ref.UID == owner
	}
	var list []version
	if kind == "controllerrevisions" {
		var all appsv1.ControllerRevisionList
		if err := r.client().Object(ctx, of.path(r.namespace, ""), nil, client.AcceptObject, &all); err != nil {
			return nil, err
		}
		for i := range all.Items {
			if o := &all.Items[i]; owned(o) {
				list = append(list, version{o.Revision, o.Annotations[changeCause], o.Data})
			}
		}
		return list, nil
	}
	var all appsv1.ReplicaSetList
	if err := r.client().Object(ctx, of.path(r.namespace, ""), nil, client.AcceptObject, &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		o := &all.Items[i]
		n, err := strconv.ParseInt(o.Annotations["deployment.kubernetes.io/revision"], 10, 64)
		if owned(o) && err == nil {
			list = append(list, version{n, o.Annotations[changeCause], o.Spec.Template})
		}
	}
	return list, nil
}

func newScaleCommand(o *options) *cobra.Command {
	var namespace string
	var replicas int32
	cmd := &cobra.Command{
		Use:     "scale KIND/NAME --replicas=N",
		Short:   "Set how many pods a workload has, until its file changes that",
		Example: "  podd scale deployment/front --replicas=3",
		Args:    named("name a workload, as in podd scale deployment/NAME --replicas=2", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, names, err := parseTarget(args)
			switch {
			case err != nil:
				return err
			case !slices.Contains([]string{"deployments", "statefulsets", "replicasets", "replicationcontrollers"}, t.plural):
				return fmt.Errorf("%s cannot be scaled", t.plural)
			case len(names) == 0:
				return errors.New("name a workload, as in podd scale deployment/NAME --replicas=2")
			case replicas < 0:
				return errors.New("the --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
			}
			var errs []error
			for _, name := range names {
				err := o.client().Patch(cmd.Context(), t.path(namespace, name)+"/scale", map[string]any{"spec": map[string]any{"replicas": replicas}})
				if err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s scaled\n", t.full(name))
			}
			return errors.Join(errs...)
		},
		ValidArgsFunction: completeGet(o),
	}
	addNamespace(cmd, &namespace)
	cmd.Flags().Int32Var(&replicas, "replicas", -1, "how many pods it has")
	return cmd
}

package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
	"podd/runtime/manifest/annotation"
)

// status is one `podd rollout status`.
type status struct {
	*command
	watch    bool
	revision int64
	timeout  time.Duration
}

func newStatus(o *Options) *cobra.Command {
	var s status
	cmd, c := subcommand(o, "status", "Wait until a rollout is done", func(ctx context.Context, c *command, objects []object) error {
		if s.revision < 0 {
			return fmt.Errorf("revision must be a positive integer: %d", s.revision)
		}
		return each(objects, func(o *object) error { return s.one(ctx, o) })
	})
	s.command = c
	c.sayNone = true
	f := cmd.Flags()
	f.BoolVarP(&s.watch, "watch", "w", true, "wait until it is done")
	f.Int64Var(&s.revision, "revision", 0, "fail if the Deployment is at another revision (0: at any)")
	f.DurationVar(&s.timeout, "timeout", 0, "how long to wait (0: until it is done)")
	return cmd
}

// one prints how far a rollout is until it is done.
func (s *status) one(ctx context.Context, o *object) error {
	if !o.of.has("Deployment", "StatefulSet", "DaemonSet") {
		return fmt.Errorf("no status viewer has been implemented for %s", o.of.groupKind())
	}
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	last := ""
	look := func(data []byte) (done bool, err error) {
		text, done, err := progress(&o.of, data, s.revision)
		if err == nil && text != last {
			fmt.Fprint(s.out, text)
			last = text
		}
		return done, err
	}
	done, err := look(o.data)
	if done || err != nil || !s.watch {
		return err
	}
	return s.follow(ctx, o, look)
}

// follow hands on each version of an object until one is enough.
func (s *status) follow(ctx context.Context, o *object, look func(data []byte) (bool, error)) error {
	q := url.Values{"watch": {"1"}, "fieldSelector": {"metadata.name=" + o.name}}
	resp, err := s.Client().Get(ctx, o.of.Path(o.namespace, ""), q, client.AcceptObject)
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
func progress(t *Type, data []byte, revision int64) (text string, done bool, err error) {
	switch t.Kind {
	case "Deployment":
		var d appsv1.Deployment
		if err := json.Unmarshal(data, &d); err != nil {
			return "", false, err
		}
		return deploymentProgress(&d, revision)
	case "DaemonSet":
		var d appsv1.DaemonSet
		if err := json.Unmarshal(data, &d); err != nil {
			return "", false, err
		}
		s := &d.Status
		if err := refused(&d, s.ObservedGeneration); err != nil {
			return "", true, err
		}
		switch waiting := fmt.Sprintf("Waiting for daemon set %q rollout to finish: ", d.Name); {
		case d.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType:
			return "", true, errors.New("rollout status is only available for RollingUpdate strategy type")
		case d.Generation > s.ObservedGeneration:
			return "Waiting for daemon set spec update to be observed...\n", false, nil
		case s.UpdatedNumberScheduled < s.DesiredNumberScheduled:
			return fmt.Sprintf("%s%d out of %d new pods have been updated...\n", waiting, s.UpdatedNumberScheduled, s.DesiredNumberScheduled), false, nil
		case s.NumberAvailable < s.DesiredNumberScheduled:
			return fmt.Sprintf("%s%d of %d updated pods are available...\n", waiting, s.NumberAvailable, s.DesiredNumberScheduled), false, nil
		}
		return fmt.Sprintf("daemon set %q successfully rolled out\n", d.Name), true, nil
	}
	var set appsv1.StatefulSet
	if err := json.Unmarshal(data, &set); err != nil {
		return "", false, err
	}
	return statefulProgress(&set)
}

func deploymentProgress(d *appsv1.Deployment, revision int64) (text string, done bool, err error) {
	s := &d.Status
	if err := refused(d, s.ObservedGeneration); err != nil {
		return "", true, err
	}
	if revision > 0 {
		at, err := strconv.ParseInt(d.Annotations[revisionKey], 10, 64)
		if err != nil {
			return "", true, fmt.Errorf("cannot get the revision of deployment %q: %w", d.Name, err)
		}
		if at != revision {
			return "", true, fmt.Errorf("desired revision (%d) is different from the running revision (%d)", revision, at)
		}
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
	case u.RollingUpdate != nil:
		if p := u.RollingUpdate.Partition; p != nil && s.UpdatedReplicas < replicas-*p {
			return fmt.Sprintf("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...\n", s.UpdatedReplicas, replicas-*p), false, nil
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

package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"podd/cmd/podd/internal/client"
)

// scale is one `podd scale`.
type scale struct {
	command
	replicas, current int32 // -1: whatever it is
	version           string
	timeout           time.Duration
}

func newScale(o *Options) *cobra.Command {
	s := &scale{command: command{Options: o}}
	cmd := &cobra.Command{
		Use:   "scale KIND/NAME... --replicas=N",
		Short: "Set how many pods a workload has, until its file changes that",
		Long: "Set how many pods a Deployment, StatefulSet, ReplicaSet or ReplicationController has. With --current-replicas or\n" +
			"--resource-version it is set only if the object is as they say. It holds until the object's file has another number.",
		Example: "  podd scale deployment/front --replicas=3\n  podd scale deployment/front --current-replicas=3 --replicas=1",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case s.replicas < 0:
				//lint:ignore ST1005 kubectl's words
				return errors.New("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
			case s.current < -1:
				//lint:ignore ST1005 kubectl's words
				return errors.New("The --current-replicas must specify an integer of -1 or greater")
			}
			objects, err := s.find(cmd, args, "podd scale deployment/NAME --replicas=2")
			switch {
			case s.version != "" && len(objects) > 1:
				return errors.New("cannot use --resource-version with multiple resources")
			case len(objects) == 0 && err == nil:
				return errors.New("no objects passed to scale")
			}
			return errors.Join(err, each(objects, func(o *object) error { return s.one(cmd.Context(), o) }))
		},
		ValidArgsFunction: o.Complete,
	}
	s.addFlags(cmd)
	s.addOutput(cmd)
	s.addDryRun(cmd)
	f := cmd.Flags()
	f.Int32Var(&s.replicas, "replicas", 0, "how many pods it has")
	f.Int32Var(&s.current, "current-replicas", -1, "only if it has so many (-1: whatever it has)")
	f.StringVar(&s.version, "resource-version", "", "only if the object has this version")
	f.DurationVar(&s.timeout, "timeout", 0, "wait so long for the pods to be there, or gone (0: do not wait)")
	f.BoolVar(&s.all, "all", false, "all objects of the kinds in the namespace")
	if err := cmd.MarkFlagRequired("replicas"); err != nil {
		panic(err) // there is no such flag: a bug here
	}
	return cmd
}

// size is the subresource by which a workload is scaled (autoscaling/v1).
type size struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name            string `json:"name"`
		Namespace       string `json:"namespace"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Replicas int32 `json:"replicas"`
	} `json:"spec"`
	Status struct {
		Replicas int32 `json:"replicas"`
	} `json:"status"`
}

// one sets the size of one object.
func (s *scale) one(ctx context.Context, o *object) error {
	if s.dryRun != dryClient {
		if err := s.set(ctx, o); err != nil {
			return err
		}
	}
	if s.timeout > 0 && s.dry() == "" {
		if err := s.wait(ctx, o); err != nil {
			return err
		}
	}
	if s.dry() != "" && s.output != "" && s.output != "name" {
		data, err := withReplicas(o.data, s.replicas)
		if err != nil {
			return err
		}
		o.data = data
	}
	return s.say(ctx, o, "scaled")
}

// most is how long it is tried to set a size of an object that changes all the time.
const most = 5 * time.Minute

// set sets the size, if the object is as the flags say.
func (s *scale) set(ctx context.Context, o *object) error {
	conditional := s.current != -1 || s.version != ""
	method, media := methodOf(conditional)
	for end := time.Now().Add(most); ; {
		var body any = map[string]any{"spec": map[string]any{"replicas": s.replicas}}
		if conditional {
			is, err := s.size(ctx, o)
			switch {
			case err != nil:
				return err
			case s.current != -1 && is.Spec.Replicas != s.current:
				//lint:ignore ST1005 kubectl's words
				return fmt.Errorf("Expected replicas to be %d, was %d", s.current, is.Spec.Replicas)
			case s.version != "" && is.Metadata.ResourceVersion != s.version:
				//lint:ignore ST1005 kubectl's words
				return fmt.Errorf("Expected resource version to be %s, was %s", s.version, is.Metadata.ResourceVersion)
			}
			is.Spec.Replicas = s.replicas
			body = is
		}
		err := s.send(ctx, method, o.path()+"/scale", media, body, &size{})
		if !apierrors.IsConflict(err) || time.Now().After(end) {
			return err
		}
		if err := pause1(ctx); err != nil {
			return err
		}
	}
}

func (s *scale) size(ctx context.Context, o *object) (*size, error) {
	is := &size{}
	return is, s.Client().Object(ctx, o.path()+"/scale", nil, client.AcceptObject, is)
}

// wait waits until there are as many pods as were asked for, or until somebody asks for another number.
func (s *scale) wait(ctx context.Context, o *object) error {
	for end := time.Now().Add(s.timeout); ; {
		is, err := s.size(ctx, o)
		if err != nil || is.Spec.Replicas != s.replicas || is.Status.Replicas == s.replicas {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("timed out waiting for %q to be synced", o.name)
		}
		if err := pause1(ctx); err != nil {
			return err
		}
	}
}

// pause1 lets a second pass.
func pause1(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withReplicas is an object with another size.
func withReplicas(data json.RawMessage, n int32) (json.RawMessage, error) {
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if spec, ok := tree["spec"].(map[string]any); ok {
		spec["replicas"] = n
	}
	return json.Marshal(tree)
}

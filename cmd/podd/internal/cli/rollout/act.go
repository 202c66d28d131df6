package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"podd/cmd/podd/internal/client"
)

func newUndo(o *Options) *cobra.Command {
	var revision int64
	cmd, c := subcommand(o, "undo", "Put an earlier revision back, until the file changes", func(ctx context.Context, c *command, objects []object) error {
		return each(objects, func(o *object) error { return undo(ctx, c, o, revision) })
	})
	cmd.Flags().Int64Var(&revision, "to-revision", 0, "the revision (0: the one before)")
	c.addOutput(cmd)
	c.addDryRun(cmd)
	return cmd
}

// undo puts an earlier revision of an object back. What it says is what kubectl does (kubectl pkg/polymorphichelpers, rollback.go).
func undo(ctx context.Context, c *command, o *object, to int64) error {
	if !o.of.has("Deployment", "StatefulSet", "DaemonSet") {
		return fmt.Errorf("no rollbacker has been implemented for %q", o.of.groupKind())
	}
	list, err := versions(ctx, c, o)
	if err != nil {
		return err
	}
	v := find(list, to)
	switch {
	case to == 0 && len(list) < 2 && o.of.Kind == "Deployment":
		return fmt.Errorf("no rollout history found for %s", o)
	case to == 0 && len(list) < 2:
		return errors.New("no last revision to roll back to")
	case to == 0:
		v = &list[len(list)-2]
	case v == nil:
		return fmt.Errorf("unable to find specified revision %d in history", to)
	}
	if c.dryRun == dryClient {
		text, err := templateText(v.template)
		if err != nil {
			return err
		}
		if o.of.Kind != "Deployment" {
			text = "will roll back to " + text
		}
		return c.say(ctx, o, text)
	}
	var is struct {
		Spec struct {
			Paused   bool
			Template json.RawMessage
		}
	}
	if err := json.Unmarshal(o.data, &is); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	if is.Spec.Paused {
		return errors.New("you cannot rollback a paused deployment; resume it first with 'podd rollout resume' and try again")
	}
	same, err := sameTemplate(v, is.Spec.Template)
	if err != nil {
		return err
	}
	if same {
		return c.say(ctx, o, fmt.Sprintf("skipped rollback (current template already matches revision %d)", to))
	}
	q := url.Values{"toRevision": {strconv.FormatInt(v.number, 10)}}
	for key, value := range c.query() {
		q[key] = value
	}
	if err := post(ctx, c.Client(), &o.of, o.namespace, o.name, "undo", q); err != nil {
		return err
	}
	return c.say(ctx, o, "rolled back")
}

// sameTemplate says whether a template is that of a revision, which a ReplicaSet has with the hash of it.
func sameTemplate(v *version, data json.RawMessage) (bool, error) {
	kept, is := v.template.DeepCopy(), &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(data, is); err != nil {
		return false, fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	delete(kept.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return equality.Semantic.DeepEqual(kept, is), nil
}

func newRestart(o *Options) *cobra.Command {
	cmd, c := subcommand(o, "restart", "Give all pods successors", func(ctx context.Context, c *command, objects []object) error {
		return each(objects, func(o *object) error { return restart(ctx, c, o) })
	})
	c.sayNone = true
	c.addOutput(cmd)
	return cmd
}

func restart(ctx context.Context, c *command, o *object) error {
	if !o.of.has("Deployment", "StatefulSet", "DaemonSet") {
		return unsupported(o, "restarting is not supported")
	}
	var d appsv1.Deployment // all three have their template there
	if err := json.Unmarshal(o.data, &d); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	if o.of.Kind == "Deployment" && d.Spec.Paused {
		return unsupported(o, "can't restart paused deployment (run rollout resume first)")
	}
	if d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == time.Now().UTC().Format(time.RFC3339) {
		return fmt.Errorf("failed to create patch for %s: if restart has already been triggered within the past second, please wait before attempting to trigger another", o.name)
	}
	if err := post(ctx, c.Client(), &o.of, o.namespace, o.name, "restart", nil); err != nil {
		return err
	}
	return c.say(ctx, o, "restarted")
}

func newPause(o *Options, on bool) *cobra.Command {
	use, short := "pause", "Hold back the next rollout of a Deployment"
	if !on {
		use, short = "resume", "Let a Deployment that was paused go on"
	}
	cmd, c := subcommand(o, use, short, func(ctx context.Context, c *command, objects []object) error {
		return each(objects, func(o *object) error { return pause(ctx, c, o, on) })
	})
	c.sayNone = true
	c.addOutput(cmd)
	return cmd
}

// pause pauses a Deployment, or lets it go on.
func pause(ctx context.Context, c *command, o *object, on bool) error {
	said, verb, already := "paused", "pausing", "is already paused"
	var value any = true
	if !on {
		said, verb, already, value = "resumed", "resuming", "is not paused", nil
	}
	if !o.of.has("Deployment") {
		return unsupported(o, verb+" is not supported")
	}
	var d appsv1.Deployment
	if err := json.Unmarshal(o.data, &d); err != nil {
		return fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	if d.Spec.Paused == on {
		return unsupported(o, already)
	}
	if err := c.Client().Patch(ctx, o.path(), map[string]any{"spec": map[string]any{"paused": value}}); err != nil {
		return err
	}
	return c.say(ctx, o, said)
}

// send sends a body to a path, and asks the daemon not to do anything if that is what the flags say.
func (c *command) send(ctx context.Context, method, path, media string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := c.Client().Send(ctx, method, path, c.query(), media, bytes.NewReader(data))
	if err != nil {
		return err
	}
	return client.Decode(resp, answer)
}

const (
	mergePatch = "application/merge-patch+json"
	asJSON     = "application/json"
)

// methodOf is how a size is set: as a whole if it is to be the successor of one that was looked at.
func methodOf(whole bool) (method, media string) {
	if whole {
		return http.MethodPut, asJSON
	}
	return http.MethodPatch, mergePatch
}

package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/cli/printers/describe"
	"podd/cmd/podd/internal/client"
)

const (
	revisionKey = "deployment.kubernetes.io/revision"
	causeKey    = "kubernetes.io/change-cause"
)

// errNoRevision is kubectl's error about a revision that is not kept.
var errNoRevision = errors.New("unable to find the specified revision")

// version is one revision that is kept.
type version struct {
	number   int64
	cause    string
	template *corev1.PodTemplateSpec
	data     json.RawMessage // the object as it was at that revision, as kubectl shows it: of a Deployment its ReplicaSet
}

func newHistory(o *Options) *cobra.Command {
	var revision int64
	cmd, c := subcommand(o, "history", "List the revisions that are kept", func(ctx context.Context, c *command, objects []object) error {
		if revision < 0 {
			return fmt.Errorf("revision must be a positive integer: %d", revision)
		}
		return each(objects, func(o *object) error { return history(ctx, c, o, revision) })
	})
	cmd.Flags().Int64Var(&revision, "revision", 0, "show the pods of this revision (0: list all)")
	c.addOutput(cmd)
	return cmd
}

// history lists the revisions that are kept of an object, or shows one.
func history(ctx context.Context, c *command, o *object, revision int64) error {
	if !o.of.has("Deployment", "StatefulSet", "DaemonSet") {
		return fmt.Errorf("no history viewer has been implemented for %q", o.of.groupKind())
	}
	list, err := versions(ctx, c, o)
	if err != nil {
		return err
	}
	if c.output != "" {
		return printVersions(c, o, list, revision)
	}
	if revision > 0 && len(list) > 0 {
		v := find(list, revision)
		if v == nil {
			return errNoRevision
		}
		t := v.template.DeepCopy()
		if v.cause != "" && o.of.Kind == "Deployment" { // as kubectl shows it
			if t.Annotations == nil {
				t.Annotations = map[string]string{}
			}
			t.Annotations[causeKey] = v.cause
		}
		text, err := templateText(t)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s with revision #%d\n%s\n", o.of.Full(o.name), revision, text)
		return err
	}
	fmt.Fprintf(c.out, "%s \n", o.of.Full(o.name))
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.out, "No rollout history found.")
		return err
	}
	tw := tabwriter.NewWriter(c.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "REVISION\tCHANGE-CAUSE")
	for _, v := range list {
		fmt.Fprintf(tw, "%d\t%s\n", v.number, cmp.Or(v.cause, "<none>"))
	}
	fmt.Fprintln(tw)
	return tw.Flush()
}

// printVersions prints objects as they were at their revisions.
func printVersions(c *command, o *object, list []version, revision int64) error {
	if revision > 0 {
		v := find(list, revision)
		if v == nil {
			return errNoRevision
		}
		list = []version{*v}
	}
	for i, v := range list {
		if c.output == "name" {
			var m metav1.PartialObjectMetadata
			if err := json.Unmarshal(v.data, &m); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%s.apps/%s\n", strings.ToLower(cmp.Or(m.Kind, o.of.Kind)), m.Name)
			continue
		}
		if i > 0 && c.output == "yaml" {
			fmt.Fprintln(c.shown, "---")
		}
		if err := c.print(v.data); err != nil {
			return err
		}
	}
	return nil
}

func find(list []version, number int64) *version {
	i := slices.IndexFunc(list, func(v version) bool { return v.number == number })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// templateText describes the pods of a revision.
func templateText(t *corev1.PodTemplateSpec) (string, error) {
	var text strings.Builder
	err := describe.Template(&text, t)
	return text.String(), err
}

// versions are the revisions that are kept of a workload, the oldest first.
func versions(ctx context.Context, c *command, o *object) ([]version, error) {
	var owner metav1.PartialObjectMetadata
	if err := json.Unmarshal(o.data, &owner); err != nil {
		return nil, fmt.Errorf("cannot understand the daemon's answer: %w", err)
	}
	plural := "controllerrevisions"
	if o.of.Kind == "Deployment" {
		plural = "replicasets"
	}
	var all struct{ Items []json.RawMessage }
	if err := c.Client().Object(ctx, "/apis/apps/v1/namespaces/"+o.namespace+"/"+plural, nil, client.AcceptObject, &all); err != nil {
		return nil, err
	}
	var list []version
	for _, data := range all.Items {
		v, by, err := versionOf(o, data)
		if err != nil {
			return nil, fmt.Errorf("cannot understand the daemon's answer: %w", err)
		}
		if by != nil && by.UID == owner.UID && v.number > 0 {
			list = append(list, v)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].number < list[j].number })
	return list, nil
}

// versionOf reads a ReplicaSet or a ControllerRevision, and says whose it is.
func versionOf(o *object, data json.RawMessage) (v version, by *metav1.OwnerReference, err error) {
	if o.of.Kind == "Deployment" {
		var rs appsv1.ReplicaSet
		if err := json.Unmarshal(data, &rs); err != nil {
			return v, nil, err
		}
		rs.Kind, rs.APIVersion = "ReplicaSet", "apps/v1"
		number, err := strconv.ParseInt(rs.Annotations[revisionKey], 10, 64)
		if err != nil {
			return v, nil, nil //nolint:nilerr // it is none of a Deployment
		}
		if data, err = json.Marshal(&rs); err != nil {
			return v, nil, err
		}
		v = version{number: number, cause: rs.Annotations[causeKey], template: &rs.Spec.Template, data: data}
		return v, metav1.GetControllerOf(&rs), nil
	}
	var r appsv1.ControllerRevision
	if err := json.Unmarshal(data, &r); err != nil {
		return v, nil, err
	}
	var kept struct {
		Spec struct{ Template json.RawMessage }
	}
	if err := json.Unmarshal(r.Data.Raw, &kept); err != nil {
		return v, nil, err
	}
	v = version{number: r.Revision, cause: r.Annotations[causeKey], template: new(corev1.PodTemplateSpec)}
	if len(kept.Spec.Template) == 0 {
		return version{}, nil, nil // somebody has written it for something else
	}
	if err := json.Unmarshal(kept.Spec.Template, v.template); err != nil {
		return v, nil, err
	}
	v.data, err = withTemplate(o.data, kept.Spec.Template)
	return v, metav1.GetControllerOf(&r), err
}

// withTemplate is an object with another template.
func withTemplate(data, template json.RawMessage) (json.RawMessage, error) {
	var tree, spec, t map[string]json.RawMessage
	for _, d := range []struct {
		from json.RawMessage
		to   *map[string]json.RawMessage
	}{{data, &tree}, {template, &t}} {
		if err := json.Unmarshal(d.from, d.to); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(tree["spec"], &spec); err != nil {
		return nil, err
	}
	delete(t, "$patch")
	for _, d := range []struct {
		in    map[string]json.RawMessage
		key   string
		value any
	}{{spec, "template", t}, {tree, "spec", spec}} {
		value, err := json.Marshal(d.value)
		if err != nil {
			return nil, err
		}
		d.in[d.key] = value
	}
	return json.Marshal(tree)
}

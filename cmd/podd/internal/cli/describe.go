package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/cli/discovery"
	"podd/cmd/podd/internal/cli/printers/describe"
	"podd/cmd/podd/internal/client"
)

func newDescribeCommand(o *options) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:     "describe (pod|node|deployment|service|...) [NAME...]",
		Short:   "Show all there is to know of an object, with its events",
		Example: "  podd describe pod web\n  podd describe deployment/front -n shop\n  podd describe node\n  podd describe ingress front",
		Args:    named("name a pod to describe, as in podd describe pod NAME", cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return describePods(cmd, o.client(), namespace, args)
		},
		ValidArgsFunction: completeGet(o),
	}
	addNamespace(cmd, &namespace)
	return cmd
}

func describePods(cmd *cobra.Command, c *client.Client, namespace string, args []string) error {
	r, names, err := askingParser(cmd.Context(), c).target(args)
	if err != nil {
		return err
	}
	switch {
	case r.plural == "nodes":
		return describeNodes(cmd, c, r, names)
	case r.plural != "pods":
		return describeObjects(cmd, c, namespace, r, names)
	}
	pods, err := fetchPods(cmd.Context(), c, namespace, names)
	if len(pods) == 0 && err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "No resources found in %s namespace.\n", namespace)
		return nil
	}
	for i := range pods {
		if i > 0 {
			fmt.Fprint(cmd.OutOrStdout(), "\n\n")
		}
		events, eventErr := podEvents(cmd.Context(), c, &pods[i])
		if eventErr != nil {
			return eventErr
		}
		if err := describe.Pod(cmd.OutOrStdout(), &pods[i], events, time.Now()); err != nil {
			return err
		}
	}
	return err
}

// fetchPods returns the pods of these names that are there, or all pods of the namespace;
// the error is about those that are not.
func fetchPods(ctx context.Context, c *client.Client, namespace string, names []string) ([]corev1.Pod, error) {
	if len(names) == 0 {
		var list corev1.PodList
		r := resources()[0]
		err := c.Object(ctx, r.path(namespace, ""), nil, client.AcceptObject, &list)
		return list.Items, err
	}
	var pods []corev1.Pod
	var errs []error
	for _, n := range names {
		var p corev1.Pod
		if err := c.Object(ctx, client.PodPath(namespace, n), nil, client.AcceptObject, &p); err != nil {
			errs = append(errs, err)
			continue
		}
		pods = append(pods, p)
	}
	return pods, errors.Join(errs...)
}

// podEvents returns the events about a pod, and those that have only its name: of a refused manifest, which has
// no UID.
func podEvents(ctx context.Context, c *client.Client, p *corev1.Pod) ([]corev1.Event, error) {
	r := resources()[1]
	q := url.Values{"fieldSelector": {fmt.Sprintf("involvedObject.name=%s,involvedObject.namespace=%s", p.Name, p.Namespace)}}
	var list corev1.EventList
	err := c.Object(ctx, r.path(p.Namespace, ""), q, client.AcceptObject, &list)
	return slices.DeleteFunc(list.Items, func(e corev1.Event) bool {
		return e.InvolvedObject.UID != "" && e.InvolvedObject.UID != p.UID
	}), err
}

// describeNodes describes nodes, of which there is one, with the pods that have its devices.
func describeNodes(cmd *cobra.Command, c *client.Client, r objectType, names []string) error {
	var nodes []corev1.Node
	if len(names) == 0 {
		var list corev1.NodeList
		if err := c.Object(cmd.Context(), r.path("", ""), nil, client.AcceptObject, &list); err != nil {
			return err
		}
		nodes = list.Items
	}
	for _, name := range names {
		var node corev1.Node
		if err := c.Object(cmd.Context(), r.path("", name), nil, client.AcceptObject, &node); err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	var pods corev1.PodList
	if err := c.Object(cmd.Context(), resources()[0].path("", ""), nil, client.AcceptObject, &pods); err != nil {
		return err
	}
	for i := range nodes {
		var events corev1.EventList
		q := url.Values{"fieldSelector": {fmt.Sprintf("involvedObject.name=%s,involvedObject.kind=Node", nodes[i].Name)}}
		if err := c.Object(cmd.Context(), resources()[1].path("", ""), q, client.AcceptObject, &events); err != nil {
			return err
		}
		if err := describe.Node(cmd.OutOrStdout(), &nodes[i], pods.Items, events.Items, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// describeObjects describes the objects of these names, or all of a namespace.
func describeObjects(cmd *cobra.Command, c *client.Client, namespace string, r objectType, names []string) error {
	var items []json.RawMessage
	var errs []error
	if len(names) == 0 {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := c.Object(cmd.Context(), r.path(namespace, ""), nil, client.AcceptObject, &list); err != nil {
			return err
		}
		if items = list.Items; len(items) == 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), noneFound(r, namespace))
		}
	}
	for _, name := range names {
		var item json.RawMessage
		if err := c.Object(cmd.Context(), r.path(namespace, name), nil, client.AcceptObject, &item); err != nil {
			errs = append(errs, err)
			continue
		}
		items = append(items, item)
	}
	events := func(name string) ([]corev1.Event, error) {
		of, q := resources()[1], url.Values{"fieldSelector": {fmt.Sprintf("involvedObject.name=%s,involvedObject.kind=%s", name, r.kind)}}
		in := namespace
		if !r.namespaced {
			in = ""
		}
		var list corev1.EventList
		err := c.Object(cmd.Context(), of.path(in, ""), q, client.AcceptObject, &list)
		return list.Items, err
	}
	remark := ""
	if r.stored {
		remark = discovery.Remark
	}
	for i, item := range items {
		if i > 0 {
			fmt.Fprint(cmd.OutOrStdout(), "\n\n")
		}
		var err error
		if describe.Knows(r.kind) && !r.stored {
			err = describe.Workload(cmd.OutOrStdout(), r.kind, item, events, time.Now())
		} else {
			err = describe.Object(cmd.OutOrStdout(), item, remark, events, time.Now())
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func noneFound(r objectType, namespace string) string {
	if !r.namespaced {
		return "No resources found"
	}
	return fmt.Sprintf("No resources found in %s namespace.", namespace)
}

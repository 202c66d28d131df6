// Package discovery asks the daemon which kinds of objects it serves: those that it acts on, and those that it stores.
package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
)

// Stored is the category of the kinds that podd stores and does not act on.
const Stored = "stored"

// Remark is what is said of those kinds and their objects.
const Remark = "stored, not acted on"

// Resource is a kind of object as the API names it.
type Resource struct {
	metav1.APIResource
	GroupVersion string
}

// IsStored says of a kind that podd does not act on it.
func (r *Resource) IsStored() bool { return slices.Contains(r.Categories, Stored) }

// Root is where the kind's paths begin.
func (r *Resource) Root() string {
	if r.GroupVersion == "v1" {
		return "/api/v1/"
	}
	return "/apis/" + r.GroupVersion + "/"
}

// GroupName is the part of the group before its version, "" for v1.
func (r *Resource) GroupName() string {
	group, _, grouped := strings.Cut(r.GroupVersion, "/")
	if !grouped {
		return ""
	}
	return group
}

// Resources are the kinds that the daemon serves, by group and name; of a group's versions the preferred one that has the kind.
func Resources(ctx context.Context, c *client.Client) ([]Resource, error) {
	var groups metav1.APIGroupList
	if err := c.Object(ctx, "/apis", nil, client.AcceptObject, &groups); err != nil {
		return nil, err
	}
	paths := []string{"/api/v1"}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			paths = append(paths, "/apis/"+v.GroupVersion)
		}
	}
	var all []Resource
	seen := map[string]bool{}
	for _, path := range paths {
		var list metav1.APIResourceList
		if err := c.Object(ctx, path, nil, client.AcceptObject, &list); err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			one := Resource{r, list.GroupVersion}
			if key := r.Name + "." + one.GroupName(); !strings.Contains(r.Name, "/") && !seen[key] {
				seen[key] = true
				all = append(all, one)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(cmp.Compare(all[i].GroupName(), all[j].GroupName()), cmp.Compare(all[i].Name, all[j].Name)) < 0
	})
	return all, nil
}

// Command is podd api-resources.
func Command(connect func() *client.Client) *cobra.Command {
	var group, namespaced, output string
	var noHeaders bool
	cmd := &cobra.Command{
		Use:   "api-resources",
		Short: "List the kinds of objects that podd serves, and which of them it acts on",
		Long: "List the kinds of objects that podd serves. Those with the remark \"stored, not acted on\" are kept as the folder has them\n" +
			"and have no effect; podd get stored lists their objects.",
		Example: "  podd api-resources\n  podd api-resources --api-group=networking.k8s.io -o name",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"", "name"}, output) {
				return errors.New("--output must be name, or left out")
			}
			all, err := Resources(cmd.Context(), connect())
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(r Resource) bool {
				return cmd.Flags().Changed("api-group") && r.GroupName() != group ||
					cmd.Flags().Changed("namespaced") && fmt.Sprint(r.Namespaced) != namespaced
			})
			return list(cmd.OutOrStdout(), all, output, !noHeaders)
		},
	}
	f := cmd.Flags()
	f.StringVar(&group, "api-group", "", "only those of this group")
	f.StringVar(&namespaced, "namespaced", "true", "only those that have a namespace, or have none: true or false")
	f.StringVarP(&output, "output", "o", "", "name")
	f.BoolVar(&noHeaders, "no-headers", false, "leave the headers out")
	return cmd
}

func list(out io.Writer, all []Resource, output string, headers bool) error {
	tw := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	if headers && output == "" {
		fmt.Fprintln(tw, "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND\tREMARK")
	}
	for i := range all {
		r := &all[i]
		if output == "name" {
			fmt.Fprintln(tw, escape.Line(strings.TrimSuffix(r.Name+"."+r.GroupName(), ".")))
			continue
		}
		remark := ""
		if r.IsStored() {
			remark = Remark
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%t\t%s\t%s\n", escape.Line(r.Name), escape.Line(strings.Join(r.ShortNames, ",")),
			escape.Line(r.GroupVersion), r.Namespaced, escape.Line(r.Kind), remark)
	}
	return tw.Flush()
}

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"podd/cmd/podd/internal/client"
	"podd/internal/escape"
)

// completionTimeout is how long a press of the tabulator key may take.
const completionTimeout = time.Second

type completer = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// mustComplete registers c; it fails only for a flag that does not exist, a bug here.
func mustComplete(cmd *cobra.Command, flag string, c completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, c); err != nil {
		panic(err)
	}
}

func completeWords(words ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeGet completes a type, then names.
func completeGet(o *options) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			r, err := parseResource(args[0])
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return objectNames(cmd, o, &r, args[1:], toComplete)
		}
		var words []string
		for _, r := range resources() {
			words = append(words, r.plural)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePods completes the word "pod", then names of pods.
func completePods(o *options) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return []string{"pod"}, cobra.ShellCompDirectiveNoFileComp
		}
		r := resources()[0]
		return objectNames(cmd, o, &r, args[1:], toComplete)
	}
}

// completePod completes one pod, and then nothing.
func completePod(o *options) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		r := resources()[0]
		return objectNames(cmd, o, &r, nil, toComplete)
	}
}

// completeNode completes the name of the board.
func completeNode(o *options) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		r, err := parseResource("nodes")
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return objectNames(cmd, o, &r, nil, toComplete)
	}
}

// completeContainer completes the containers of the pod that is the first argument.
func completeContainer(o *options) completer {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		var p corev1.Pod
		if err := o.client().Object(ctx, client.PodPath(flagValue(cmd, "namespace"), args[0]), nil, client.AcceptObject, &p); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return append(containerNames(p.Spec.Containers), containerNames(p.Spec.InitContainers)...), cobra.ShellCompDirectiveNoFileComp
	}
}

// objectNames asks the daemon; without one there is nothing to complete.
func objectNames(cmd *cobra.Command, o *options, r *objectType, have []string, prefix string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	namespace := flagValue(cmd, "namespace")
	if flagValue(cmd, "all-namespaces") == "true" {
		namespace = ""
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
		}
	}
	if err := o.client().Object(ctx, r.path(namespace, ""), nil, client.AcceptObject, &list); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	taken := " " + strings.Join(have, " ") + " "
	for _, i := range list.Items {
		if strings.HasPrefix(i.Metadata.Name, prefix) && !strings.Contains(taken, " "+i.Metadata.Name+" ") {
			names = append(names, i.Metadata.Name)
		}
	}
	return completable(names), cobra.ShellCompDirectiveNoFileComp
}

// completable leaves out what a shell would put on the terminal as control characters.
func completable(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return escape.Line(n) != n })
}

func flagValue(cmd *cobra.Command, name string) string {
	if f := cmd.Flags().Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

func containerNames(cs []corev1.Container) []string {
	names := make([]string, len(cs))
	for i := range cs {
		names[i] = cs[i].Name
	}
	return names
}

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print the script that lets a shell complete podd's command lines",
		Example:   "  podd completion bash >/etc/bash_completion.d/podd",
		Args:      named("name a shell: bash, zsh or fish", cobra.ExactArgs(1)),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			out, _ := rawOutput(cmd)
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return fmt.Errorf("there is no completion for %q: name bash, zsh or fish", args[0])
		},
	}
}

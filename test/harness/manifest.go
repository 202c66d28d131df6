package harness

import (
	"fmt"
	"strings"
)

// OnePod is a pod with one container named main that runs a shell script. More lines go into its spec.
func OnePod(name, script string, spec ...string) string {
	return PodOf(name, append(spec, ContainerOf("main", script))...)
}

// PodOf is a pod made of parts of a spec; containers come last and need no "containers:" of their own.
func PodOf(name string, parts ...string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\nspec:\n  terminationGracePeriodSeconds: 1\n", name)
	containers := ""
	for _, part := range parts {
		if strings.HasPrefix(part, "- name:") {
			containers += Indent(part, 2)
			continue
		}
		b.WriteString(Indent(part, 2))
	}
	return b.String() + "  containers:\n" + containers
}

// ContainerOf is one container that runs a shell script; more lines go into it.
func ContainerOf(name, script string, more ...string) string {
	text := fmt.Sprintf("- name: %s\n  image: busybox\n  imagePullPolicy: Never\n  command: [sh, -c]\n  args:\n  - |\n%s", name, Indent(script, 4))
	for _, part := range more {
		text += Indent(part, 2)
	}
	return text
}

func Indent(text string, by int) string {
	b := &strings.Builder{}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", by), line)
	}
	return b.String()
}

// Forever keeps a container busy with nothing, and ends at TERM.
const Forever = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"

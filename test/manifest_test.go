package test

import (
	"fmt"
	"strings"
)

// onePod is a pod with one container named main that runs a shell script. More lines go into its spec.
func onePod(name, script string, spec ...string) string {
	return podOf(name, append(spec, containerOf("main", script))...)
}

// podOf is a pod made of parts of a spec; containers come last and need no "containers:" of their own.
func podOf(name string, parts ...string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\nspec:\n  terminationGracePeriodSeconds: 1\n", name)
	containers := ""
	for _, part := range parts {
		if strings.HasPrefix(part, "- name:") {
			containers += indent(part, 2)
			continue
		}
		b.WriteString(indent(part, 2))
	}
	return b.String() + "  containers:\n" + containers
}

// containerOf is one container that runs a shell script; more lines go into it.
func containerOf(name, script string, more ...string) string {
	text := fmt.Sprintf("- name: %s\n  image: busybox\n  imagePullPolicy: Never\n  command: [sh, -c]\n  args:\n  - |\n%s", name, indent(script, 4))
	for _, part := range more {
		text += indent(part, 2)
	}
	return text
}

func indent(text string, by int) string {
	b := &strings.Builder{}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", by), line)
	}
	return b.String()
}

// forever keeps a container busy with nothing, and ends at TERM.
const forever = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"

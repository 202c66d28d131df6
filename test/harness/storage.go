package harness

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// ClaimOf is a claim; more lines go into its spec.
func ClaimOf(name, mode, size string, more ...string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s}\nspec:\n  accessModes: [%s]\n  resources: {requests: {storage: %s}}\n", name, mode, size) + Indent(strings.Join(more, "\n"), 2)
}

func Claiming(name, claim, script string) string {
	return PodOf(name, "volumes: [{name: v, persistentVolumeClaim: {claimName: "+claim+"}}]\n", Mounting("main", script, "{name: v, mountPath: /v}"))
}

// Shows waits until a listing has a line with all the words.
func (b *Board) Shows(words []string, args ...string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		out := b.CLI(args...)
		for line := range strings.Lines(out) {
			if fields := strings.Fields(line); containsAll(fields, words) {
				return true, nil
			}
		}
		return false, fmt.Errorf("no line with %v in\n%s", words, out)
	}))
}

func containsAll(list, words []string) bool {
	have := map[string]bool{}
	for _, s := range list {
		have[s] = true
	}
	for _, w := range words {
		if !have[w] {
			return false
		}
	}
	return true
}

// IsWaitingFor waits until the pod's first container waits for a reason, with a sentence.
func IsWaitingFor(reason, message string) func(*corev1.Pod) string {
	return func(p *corev1.Pod) string {
		for _, s := range p.Status.ContainerStatuses {
			if w := s.State.Waiting; w != nil && w.Reason == reason && w.Message == message {
				return ""
			}
		}
		return "no container waits for " + reason + ": " + message
	}
}

// ObjectOf is a ConfigMap or Secret; each pair is a line of its data.
func ObjectOf(kind, name string, data ...string) string {
	field := "data"
	if kind == "Secret" {
		field = "stringData"
	}
	text := fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata: {name: %s}\n%s:\n", kind, name, field)
	for _, line := range data {
		text += "  " + line + "\n"
	}
	return text
}

// Says waits until a command in a container says so.
func (b *Board) Says(pod, container, script, want string) {
	b.T.Helper()
	b.Must(lab.Poll(Limit, func() (bool, error) {
		got := b.Sh(pod, container, script)
		return got == want, fmt.Errorf("%s says %q, want %q", script, got, want)
	}))
}

// Mounting is a container that mounts volumes; each mount is the YAML of one.
func Mounting(name, script string, mounts ...string) string {
	text := "volumeMounts:\n"
	for _, m := range mounts {
		text += "- " + m + "\n"
	}
	return ContainerOf(name, script, text)
}

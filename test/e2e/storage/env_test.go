package storage

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// $(VAR) is expanded in env, command and args exactly as Kubernetes does: known names only, $$ is an escape, order matters.
//
// e2e: Variable Expansion :: should allow composing env vars into new env vars
// e2e: Variable Expansion :: should allow substituting values in a container's command
// e2e: Variable Expansion :: should allow substituting values in a container's args
// e2e: Variable Expansion :: allow almost all printable ASCII characters as environment variable names
func TestExpansion(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("env", harness.PodOf("env", "restartPolicy: Never", `- name: main
  image: busybox
  imagePullPolicy: Never
  command: [sh, -c, 'echo "cmd:$(A)"; echo "arg:$0"; tr "\\0" "\\n" </proc/1/environ; exit 0']
  args: ["$(A)-$$(A)-$(MISSING)-$(B)"]
  env:
  - {name: A, value: one}
  - {name: B, value: "two and $(A)"}
  - {name: EARLY, value: "$(LATE)"}
  - {name: LATE, value: late}
  - {name: ESCAPED, value: "$$(A) $$$(A) $"}
  - {name: HERE, value: "$(HOSTNAME)"}
  - {name: EMPTY}
  - {name: "with.dots-and-dashes", value: odd}
`))
	b.WaitPod("env", harness.IsPhase(corev1.PodSucceeded))
	b.Logged("env", "main", "HOSTNAME=")
	got := b.LogsOf("env")
	for _, want := range []string{
		"cmd:one", "arg:one-$(A)-$(MISSING)-two and one", "A=one", "B=two and one", "EARLY=$(LATE)", "LATE=late",
		"ESCAPED=$(A) $one $", "EMPTY=", "with.dots-and-dashes=odd", "HOSTNAME=env",
	} {
		if !strings.Contains("\n"+got, "\n"+want+"\n") {
			t.Errorf("no line %q in:\n%s", want, got)
		}
	}
	if !strings.Contains(got, "\nPATH=/") {
		t.Errorf("no PATH in:\n%s", got)
	}
}

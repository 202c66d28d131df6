package security

import (
	"strings"
	"testing"

	"podd/test/harness"
)

// A namespace that enforces the restricted standard takes what keeps to it, and says what is wrong with the rest, whether it is
// a pod of the folder or one of a controller.
//
// e2e: PodSecurity
func TestPodSecurityLabels(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	const kept = "securityContext: {runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}}"
	shop := func(text string) string {
		return strings.Replace(text, "metadata:\n", "metadata:\n  namespace: shop\n", 1)
	}
	b.MustDrop("namespace", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}\n")
	b.MustDrop("good", shop(harness.PodOf("good", harness.ContainerOf("main", harness.Forever, kept))))
	b.MustDrop("bad", shop(harness.PodOf("bad", harness.ContainerOf("main", harness.Forever))))
	b.MustDrop("made", `apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: made}
spec:
  selector: {matchLabels: {app: made}}
  template:
    metadata: {labels: {app: made}}
    spec: {containers: [{name: main, image: busybox}]}
`)
	const why = `is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), `
	b.Until(func(out string) bool { return strings.Contains(out, "1/1") }, "get", "pods", "-n", "shop", "good")
	b.Until(func(out string) bool { return strings.Contains(out, "PodSecurity") }, "get", "pods", "-n", "shop", "bad")
	for _, args := range [][]string{{"describe", "pod", "-n", "shop", "bad"}, {"get", "events", "-n", "shop"}} {
		if out := b.CLI(args...); !strings.Contains(out, `pods "bad" `+why) {
			t.Errorf("podd %s says\n%s", strings.Join(args, " "), out)
		}
	}
	b.Until(func(out string) bool {
		return strings.Contains(out, `pods "made-`) && strings.Contains(out, "FailedCreate") && !strings.Contains(out, "SuccessfulCreate")
	}, "get", "events", "-n", "shop")
}

package workloads

import (
	"fmt"
	"strings"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// answersWith runs a command until its two streams have these words and not those.
func answersWith(b *harness.Board, words, not []string, args ...string) {
	b.T.Helper()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, stderr, _ := b.RunCLI(args...)
		ok := harness.Has(words...)(out + stderr)
		for _, w := range not {
			ok = ok && !strings.Contains(out+stderr, w)
		}
		return ok, fmt.Errorf("podd %s: %s%s", strings.Join(args, " "), out, stderr)
	}))
}

// mixed is a file in which some documents are good, and a StatefulSet of whose spec a line is said.
func mixed(replicas int, set string) string {
	return deploymentOf("web", "one", replicas) + fmt.Sprintf(`---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  %s
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: busybox, imagePullPolicy: Never, command: [sleep, "1000"]}]}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}}
`, set)
}

// A refused workload is a row of its kind and among the pods, says why, and costs nothing that runs; an edit that is refused
// leaves the last good version, which says so; a mended file takes all of that away.
func TestRefusedWorkloads(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	const negative = "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
	b.MustDrop("mixed", mixed(1, "replicas: -1"))
	answersWith(b, []string{"0/0", "MANIFEST", "InvalidManifest"}, nil, "get", "sts", "db")
	answersWith(b, []string{"db ", "InvalidManifest", negative}, nil, "get", "pods")
	answersWith(b, []string{"podd.dev/ManifestAccepted", negative, "Events:"}, nil, "describe", "sts", "db")
	answersWith(b, []string{"its manifest was refused"}, nil, "rollout", "status", "sts/db")
	answersWith(b, []string{"1/1"}, []string{"InvalidManifest"}, "get", "deploy", "web")
	answersWith(b, []string{"web", "stored, not acted on"}, nil, "get", "servicemonitors")
	answersWith(b, []string{"servicemonitor.monitoring.coreos.com/web"}, nil, "get", "stored", "-o", "name")
	b.MustDrop("mixed", mixed(1, "replicas: 1"))
	answersWith(b, []string{"1/1"}, []string{"Invalid"}, "get", "sts", "db")
	answersWith(b, []string{"db-0", "Running"}, []string{"InvalidManifest"}, "get", "pods")
	b.MustDrop("mixed", mixed(1, "serviceName: other"))
	answersWith(b, []string{"1/1", "ImmutableObject", "spec.serviceName: Invalid value: \"other\": field is immutable"}, nil, "get", "sts", "db")
	answersWith(b, []string{"ImmutableObject", "podd.dev/ManifestAccepted"}, nil, "describe", "sts", "db")
	b.MustKill9()
	b.MustStart()
	answersWith(b, []string{"1/1", "ImmutableObject"}, nil, "get", "sts", "db")
	b.MustDrop("mixed", mixed(1, "replicas: 1"))
	answersWith(b, []string{"1/1"}, []string{"ImmutableObject"}, "get", "sts", "db")
}

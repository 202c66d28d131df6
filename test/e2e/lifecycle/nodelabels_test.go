package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// A reload reads the board's labels again: documents that are for it no more go, others come; a pod that waited for a label
// starts, and one that selected a label and runs stays, as in Kubernetes.
func TestNodeLabelsAtReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("nodeLabels: {site: roof}\n")
	b := harness.NewBoard(t, harness.WithArgs("--config", file))
	for _, site := range []string{"roof", "cellar"} {
		b.MustDrop("for-"+site, strings.Replace(harness.OnePod("for-"+site, harness.Forever), "metadata:", "metadata:\n  annotations: {podd.dev/node: site="+site+"}", 1))
		b.MustDrop("selects-"+site, harness.OnePod("selects-"+site, harness.Forever, "nodeSelector: {site: "+site+"}"))
	}
	b.Running("for-roof")
	before := b.Running("selects-roof")
	waits := func(p *corev1.Pod) string {
		if p.Status.Phase == corev1.PodPending && p.Spec.NodeName == "" {
			return ""
		}
		return "it does not wait for a board"
	}
	b.WaitPod("selects-cellar", waits)
	b.Gone("for-cellar")

	configure("nodeLabels: {site: cellar}\n")
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.Running("for-cellar")
	b.Running("selects-cellar")
	b.Gone("for-roof")
	if after := b.MustPod("selects-roof"); after.UID != before.UID || after.Status.Phase != corev1.PodRunning {
		t.Errorf("a pod that runs was touched: %s", after.Status.Phase)
	}
	b.MustRemove("selects-roof")
	b.Gone("selects-roof")
	b.MustDrop("selects-roof", harness.OnePod("selects-roof", harness.Forever, "nodeSelector: {site: roof}"))
	b.WaitPod("selects-roof", waits)
	if labels := b.CLI("get", "nodes", "-o", "yaml"); !strings.Contains(labels, "site: cellar") {
		t.Errorf("the node is shown with other labels:\n%s", labels)
	}

	configure("nodeLabels: {site: [cellar]}\npodPidsLimit: many\n")
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	const want = `config.yaml: line 1: nodeLabels must be names and values such as {site: roof}, not {site: a list of 1}; line 2: podPidsLimit must be a whole number, not "many"`
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		_, stderr, _ := b.RunCLI("get", "nodes")
		return strings.Contains(stderr, want), errors.New(stderr)
	}))
	b.Running("for-cellar")
}

package test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

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
	b := newBoard(t, withArgs("--config", file))
	for _, site := range []string{"roof", "cellar"} {
		b.drop("for-"+site, strings.Replace(onePod("for-"+site, forever), "metadata:", "metadata:\n  annotations: {podd.dev/node: site="+site+"}", 1))
		b.drop("selects-"+site, onePod("selects-"+site, forever, "nodeSelector: {site: "+site+"}"))
	}
	b.running("for-roof")
	before := b.running("selects-roof")
	waits := func(p *corev1.Pod) string {
		if p.Status.Phase == corev1.PodPending && p.Spec.NodeName == "" {
			return ""
		}
		return "it does not wait for a board"
	}
	b.wait("selects-cellar", waits)
	b.gone("for-cellar")

	configure("nodeLabels: {site: cellar}\n")
	b.must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.running("for-cellar")
	b.running("selects-cellar")
	b.gone("for-roof")
	if after := b.pod("selects-roof"); after.UID != before.UID || after.Status.Phase != corev1.PodRunning {
		t.Errorf("a pod that runs was touched: %s", after.Status.Phase)
	}
	b.remove("selects-roof")
	b.gone("selects-roof")
	b.drop("selects-roof", onePod("selects-roof", forever, "nodeSelector: {site: roof}"))
	b.wait("selects-roof", waits)
	if labels := b.podd("get", "nodes", "-o", "yaml"); !strings.Contains(labels, "site: cellar") {
		t.Errorf("the node is shown with other labels:\n%s", labels)
	}

	configure("nodeLabels: {site: [cellar]}\npodPidsLimit: many\n")
	b.must(unix.Kill(b.Pid(), unix.SIGHUP))
	const want = `config.yaml: line 1: nodeLabels must be names and values such as {site: roof}, not {site: a list of 1}; line 2: podPidsLimit must be a whole number, not "many"`
	b.must(lab.Poll(limit, func() (bool, error) {
		_, stderr, _ := b.run("get", "nodes")
		return strings.Contains(stderr, want), errors.New(stderr)
	}))
	b.running("for-cellar")
}

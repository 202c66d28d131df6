package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"podd/test/harness"
)

// Columns and words are kubectl's, in every output format.
func TestGetPods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.PodOf("app", harness.ContainerOf("one", harness.Forever), harness.ContainerOf("two", harness.Forever)))
	b.MustDrop("done", harness.OnePod("done", "exit 0", "restartPolicy: Never"))
	pod := b.Running("app")
	b.WaitPod("done", harness.IsPhase(corev1.PodSucceeded))

	table := b.CLI("get", "pods")
	if header := strings.Fields(table); len(header) < 5 || !slices.Equal(header[:5], []string{"NAME", "READY", "STATUS", "RESTARTS", "AGE"}) {
		t.Errorf("the header is not kubectl's:\n%s", table)
	}
	if row := rowOf(table, "app"); len(row) < 4 || row[1] != "2/2" || row[2] != "Running" || row[3] != "0" {
		t.Errorf("app: %q", row)
	}
	if row := rowOf(table, "done"); len(row) < 4 || row[1] != "0/1" || row[2] != "Completed" {
		t.Errorf("done: %q", row)
	}
	wide := b.CLI("get", "pods", "-o", "wide")
	if !strings.Contains(wide, "NODE") || !strings.Contains(wide, pod.Status.PodIP) || !strings.Contains(wide, "lab") {
		t.Errorf("-o wide:\n%s", wide)
	}
	if got := b.CLI("get", "pods", "-o", "name"); !strings.Contains(got, "pod/app\n") {
		t.Errorf("-o name: %q", got)
	}
	var fromJSON, fromYAML corev1.Pod
	b.Must(json.Unmarshal([]byte(b.CLI("get", "pod", "app", "-o", "json")), &fromJSON))
	b.Must(yaml.Unmarshal([]byte(b.CLI("get", "pod", "app", "-o", "yaml")), &fromYAML))
	for format, got := range map[string]corev1.Pod{"json": fromJSON, "yaml": fromYAML} {
		if got.Kind != "Pod" || got.APIVersion != "v1" || got.UID != pod.UID || got.Status.PodIP != pod.Status.PodIP {
			t.Errorf("-o %s: kind %s, uid %s, ip %s", format, got.Kind, got.UID, got.Status.PodIP)
		}
	}
	if _, stderr, code := b.RunCLI("get", "pod", "none"); code == 0 || !strings.Contains(stderr, `pods "none" not found`) {
		t.Errorf("an unknown pod: exit %d, %q", code, stderr)
	}
}

func rowOf(table, name string) []string {
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == name {
			return fields
		}
	}
	return nil
}

// get -w shows a pod's life as it happens.
func TestWatchPods(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	watch := b.Podd("get", "pods", "-w")
	pipe, err := watch.StdoutPipe()
	b.Must(err)
	b.Must(watch.Start())
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if row := strings.Fields(lines.Text()); len(row) > 2 && row[0] == "app" && row[2] == "Running" {
			return
		}
	}
	t.Errorf("the watch ended before the pod ran: %v", lines.Err())
}

// describe and events tell what happened in kubectl's words.
func TestDescribeAndEvents(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	pod := b.Running("app")
	described := b.CLI("describe", "pod", "app")
	for _, want := range []string{"Name:", "app", "Status:", "Running", "IP:", pod.Status.PodIP, "Containers:", "main:", "Restart Count:", "Events:", "Manifest:", "podd.dev/manifest: " + b.Manifests + "/app.yaml"} {
		if !strings.Contains(described, want) {
			t.Errorf("describe lacks %q:\n%s", want, described)
		}
	}
	b.Event("Started")
	for _, reason := range []string{"Created", "Started"} {
		events, err := b.Events()
		b.Must(err)
		if !slices.ContainsFunc(events, func(e corev1.Event) bool { return e.Reason == reason && e.InvolvedObject.Name == "app" }) {
			t.Errorf("no event %s about the pod", reason)
		}
	}
}

// podd validate judges files without a daemon, in the API server's words, and says where.
func TestValidate(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	good, bad := filepath.Join(b.Dir, "good.yaml"), filepath.Join(b.Dir, "bad.yaml")
	b.Must(os.WriteFile(good, []byte(harness.OnePod("good", "true")), 0o644))
	b.Must(os.WriteFile(bad, []byte(strings.Replace(harness.OnePod("Bad_Name", "true", "restartPolicy: Sometimes"), "image: busybox", "image: ''", 1)), 0o644))
	if output, err := b.Podd("validate", "-f", good).CombinedOutput(); err != nil {
		t.Errorf("a good file: %v: %s", err, output)
	}
	_, stderr, code := b.RunCLI("validate", "-f", bad)
	if code == 0 {
		t.Error("a bad file is valid")
	}
	stdout, more, _ := b.RunCLI("validate", "-f", bad)
	for _, want := range []string{"bad.yaml", "metadata.name", "spec.restartPolicy", "spec.containers[0].image", "Unsupported value", "Required value"} {
		if !strings.Contains(stdout+stderr+more, want) {
			t.Errorf("it does not say %q:\n%s%s", want, stdout, stderr)
		}
	}
}

// The socket is its owner's alone.
func TestSocketMode(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.MustStart()
	info, err := os.Stat(b.Socket)
	b.Must(err)
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o", got)
	}
}

// Several documents, a List, JSON, and what is ignored in the folder.
func TestManifestForms(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("two", harness.OnePod("doc-one", harness.Forever)+"---\n"+harness.OnePod("doc-two", harness.Forever))
	b.MustDrop("list", "apiVersion: v1\nkind: List\nitems:\n-\n"+harness.Indent(harness.OnePod("listed", harness.Forever), 2))
	asJSON, err := yaml.YAMLToJSON([]byte(harness.OnePod("as-json", harness.Forever)))
	b.Must(err)
	b.Must(b.Drop("pod.json", string(asJSON)))
	ignored := harness.OnePod("ignored", harness.Forever)
	for _, name := range []string{".hidden.yaml", "backup.yaml~", "old.yaml.bak", ".swap.yaml.swp"} {
		b.Must(os.WriteFile(filepath.Join(b.Manifests, name), []byte(ignored), 0o644))
	}
	b.Must(os.Mkdir(filepath.Join(b.Manifests, "sub"), 0o755))
	b.Must(os.WriteFile(filepath.Join(b.Manifests, "sub", "pod.yaml"), []byte(ignored), 0o644))
	b.MustDrop("last", harness.OnePod("last", harness.Forever))
	for _, name := range []string{"doc-one", "doc-two", "listed", "as-json", "last"} {
		b.Running(name)
	}
	if _, err := b.Pod("ignored"); err == nil {
		t.Error("an ignored file has a pod")
	}
}

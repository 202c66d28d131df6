package workloads

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"podd/runtime/manifest/kinds"
	"podd/test/harness"
	"podd/test/lab"
)

// The Kubernetes documentation's own examples that should run on one node, what they refer to, and manifests of edge
// projects, unchanged but for a shorter grace; only their images are stand-ins. Each pod becomes ready or succeeds, each
// object is shown, and each document of a kind that podd does not have is a sentence, but for the exceptions in the table.
func TestKubernetesExamples(t *testing.T) {
	t.Parallel()
	files, err := exampleFiles()
	if err != nil {
		t.Skipf("the examples are not here: %v", err)
	}
	b := harness.NewBoard(t)
	b.LoadImages("cases.tar")
	ran := map[string]bool{}
	for _, file := range files {
		ran[file] = true
		t.Run(file, func(t *testing.T) { runExample(&harness.Board{Node: b.Node, T: t}, file) })
	}
	if len(ran) < 120 {
		t.Errorf("only %d examples", len(ran))
	}
	for file := range examples() {
		if !ran[file] {
			t.Errorf("%s has an exception, and was not run", file)
		}
	}
}

// exampleFiles are the files of the index that should run, or that others refer to, and those of the edge.
func exampleFiles() ([]string, error) {
	index, err := os.ReadFile(filepath.Join(harness.CasesDir, "INDEX.tsv"))
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(index)) {
		field := strings.Split(line, "\t")
		if len(field) > 4 && (field[2] == "run" || field[2] == "data-or-service") {
			files = append(files, field[0])
		}
	}
	edge, err := filepath.Glob(filepath.Join(harness.CasesDir, "../edge/*.yaml"))
	for _, path := range edge {
		files = append(files, "../edge/"+filepath.Base(path))
	}
	return files, err
}

// runExample drops a file, what it needs once it says that it does, waits until each document has come to its end, and
// removes all again.
func runExample(b *harness.Board, file string) {
	b.T.Helper()
	data, err := os.ReadFile(filepath.Join(harness.CasesDir, file))
	b.Must(err)
	// What is mounted from the machine is there in the board's own folder.
	text := strings.ReplaceAll(string(data), "path: /etc/keepalived", "path: "+b.Dir+"/keepalived")
	want, documents := examples()[file], documentsIn(text)
	b.MustDrop("example", shortGrace(text))
	if want.needs != "" {
		ends(b, &documents[0], want.waits)
		b.MustDrop("needs", want.needs)
		defer vanish(b, "needs", want.needs)
	}
	for i := range documents {
		ends(b, &documents[i], want.end)
	}
	b.MustRemove("example")
	for i := range documents {
		if documents[i].Kind == "Pod" {
			b.Gone(documents[i].fullName())
		}
	}
}

// ends waits until a document is what it should be.
func ends(b *harness.Board, d *document, want string) {
	b.T.Helper()
	switch _, ours := d.resource(); {
	case kinds.IsStored(&kinds.Header{TypeMeta: d.TypeMeta}):
		return // taken, and not acted on
	case ours && d.Kind != "Pod" && d.Kind != "Job":
		want = "shown"
	case !ours && want == "":
		want = "kind " + d.Kind + " of " + d.APIVersion + " is not run by podd; "
	}
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		got := endOf(b, d)
		if want == "" {
			return got == "Ready" || got == "Succeeded" || got == "shown", fmt.Errorf("%s %s: %s", d.Kind, d.Name, got)
		}
		return strings.Contains(got, want), fmt.Errorf("%s %s: %s\nwant %s", d.Kind, d.Name, got, want)
	}))
}

// vanish removes what the next example must not find.
func vanish(b *harness.Board, name, text string) {
	b.T.Helper()
	b.MustRemove(name)
	for _, d := range documentsIn(text) {
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			return endOf(b, &d) != "shown", fmt.Errorf("%s %s is still there", d.Kind, d.Name)
		}))
	}
}

// endOf says in a word, or in podd's sentence, what has become of a document.
func endOf(b *harness.Board, d *document) string {
	resource, ours := d.resource()
	if d.Kind == "Pod" {
		pod, err := b.Pod(d.fullName())
		if err == nil {
			return endOfPod(pod)
		}
		if !errors.Is(err, lab.ErrNotFound) {
			return err.Error()
		}
	}
	if ours && d.Kind != "Pod" {
		var object metav1.PartialObjectMetadata
		namespace := d.Namespace
		if namespace == "" {
			namespace = "default"
		}
		group := "/api/v1"
		if d.APIVersion != "v1" {
			group = "/apis/" + d.APIVersion
		}
		if err := b.Get(group+"/namespaces/"+namespace+"/"+resource+"/"+d.Name, &object); err == nil && !strings.HasPrefix(string(object.UID), "refused:") {
			return "shown"
		}
	}
	_, said, _ := b.RunCLI("get", "pods", "-A")
	return said
}

func endOfPod(pod *corev1.Pod) string {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed:
		return string(pod.Status.Phase)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return "Ready"
		}
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + ": " + c.Message
		}
	}
	said := pod.Status.Reason + " " + pod.Status.Message
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		switch last := harness.Ended(pod, s.Name); {
		case s.State.Waiting != nil:
			said += fmt.Sprintf(" %s: %s %s.", s.Name, s.State.Waiting.Reason, s.State.Waiting.Message)
		case last != nil:
			said += fmt.Sprintf(" %s: %s %s.", s.Name, last.Reason, last.Message)
		}
	}
	return said
}

// document is the head of one document of a file.
type document struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

// fullName is its name with its namespace where that is not the default one.
func (d *document) fullName() string {
	if d.Namespace == "" {
		return d.Name
	}
	return d.Namespace + "/" + d.Name
}

// resource is what the API calls a kind that podd has.
func (d *document) resource() (name string, ours bool) {
	name, ours = map[string]string{
		"Pod": "pods", "ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "PersistentVolumeClaim": "persistentvolumeclaims",
		"ServiceAccount": "serviceaccounts", "Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "Job": "jobs",
		"ReplicationController": "replicationcontrollers", "PodDisruptionBudget": "poddisruptionbudgets", "PodTemplate": "podtemplates",
		"ControllerRevision": "controllerrevisions", "DaemonSet": "daemonsets", "CronJob": "cronjobs",
	}[d.Kind]
	return name, ours
}

func documentsIn(text string) []document {
	var list []document
	for part := range strings.SplitSeq(text, "\n---") {
		var d document
		if yaml.Unmarshal([]byte(part), &d) == nil && d.Kind != "" {
			list = append(list, d)
		}
	}
	return list
}

// shortGrace adds a grace of a second to every pod that names none.
func shortGrace(text string) string {
	parts := strings.Split(text, "\n---")
	for i, part := range parts {
		if list := documentsIn(part); len(list) == 1 && list[0].Kind == "Pod" && !strings.Contains(part, "terminationGracePeriodSeconds") {
			parts[i] = strings.Replace(part, "\nspec:", "\nspec:\n  terminationGracePeriodSeconds: 1", 1)
		}
	}
	return strings.Join(parts, "\n---")
}

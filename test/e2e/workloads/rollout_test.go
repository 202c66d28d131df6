package workloads

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"podd/test/harness"
)

var updateRollout = flag.Bool("update-rollout", false, "write testdata/rollout.txt with what kubectl says")

// rolloutKinds are objects of all kinds that kubectl rollout and scale may be asked about, without pods that run: what is compared
// are the words.
func rolloutKinds(version string) string {
	template := "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: main, image: " + version + ", command: [sh, -c], args: [sleep 1], ports: [{containerPort: 80}], env: [{name: A, value: b}]}]%s}}"
	nowhere := fmt.Sprintf(template, ", nodeSelector: {no: where}")
	none := fmt.Sprintf(template, "")
	never := fmt.Sprintf(template, ", restartPolicy: Never")
	if version == "" {
		return ""
	}
	object := func(apiVersion, kind, name, more string) string {
		return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: %s, labels: {team: %s}, annotations: {kubernetes.io/change-cause: %s}}\nspec:\n  %s\n", apiVersion, kind, name, name, version, more)
	}
	selector := "\n  selector: {matchLabels: {app: x}}\n  replicas: 0"
	return object("apps/v1", "Deployment", "web", none+selector) +
		object("apps/v1", "Deployment", "other", none+selector) +
		object("apps/v1", "DaemonSet", "agent", nowhere+"\n  selector: {matchLabels: {app: x}}") +
		object("apps/v1", "StatefulSet", "db", none+selector+"\n  serviceName: db") +
		object("apps/v1", "StatefulSet", "part", none+selector+"\n  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}") +
		object("apps/v1", "StatefulSet", "hand", none+selector+"\n  updateStrategy: {type: OnDelete}") +
		object("apps/v1", "ReplicaSet", "set", none+selector) +
		object("v1", "ReplicationController", "rc", none+"\n  replicas: 0") +
		object("batch/v1", "Job", "sums", strings.ReplaceAll(never, version, "one")+"\n  suspend: true") +
		object("batch/v1", "CronJob", "cron", "schedule: '@daily'\n  suspend: true\n  jobTemplate: {spec: {"+never+"}}") +
		object("v1", "Pod", "pod", "nodeSelector: {no: where}\n  containers: [{name: main, image: one}]")
}

// rolloutSteps are command lines, in an order: each finds what those before it have left. "edit VERSION" changes the file.
const rolloutSteps = `
edit one
rollout status
rollout history
rollout undo
rollout restart
rollout pause
rollout resume
scale
scale --replicas=1
scale deployment/web
scale deployment/web --replicas=-1
scale deployment/web --replicas=1 --current-replicas=-2
rollout status KIND/nothing
rollout history KIND/nothing
rollout undo KIND/nothing
rollout restart KIND/nothing
rollout pause KIND/nothing
scale KIND/nothing --replicas=1
rollout status OBJECT
rollout status OBJECT --watch=false --revision=1
rollout status OBJECT --revision=7
rollout status deployment/web --revision=-1
rollout history OBJECT
rollout history OBJECT --revision=1
rollout history OBJECT --revision=7
rollout history deployment/web --revision=-1
rollout history deployment/web -o name
rollout undo OBJECT
rollout undo OBJECT --to-revision=7
rollout undo OBJECT --to-revision=1
rollout undo OBJECT --to-revision=-1
rollout resume OBJECT
rollout restart pod/pod job/sums cronjob/cron rs/set rc/rc
rollout status deployment -l team=nobody
rollout restart deployment -l team=nobody
rollout pause deployment -l team=nobody
rollout history deployment -l team=nobody
rollout undo deployment -l team=nobody
scale deployment -l team=nobody --replicas=0
scale deployment --replicas=0
scale deployment/web -l team=web --replicas=0
rollout status -f nothing.yaml
rollout undo deployment/web --dry-run=maybe
rollout status deployment
rollout history deployment
edit two
rollout history OBJECT
rollout history deployment/web --revision=2
rollout history daemonset/agent --revision=1
rollout history daemonset/agent -o name
rollout undo deployment/web --dry-run=client
rollout undo statefulset/db --dry-run=client
rollout undo deployment/web --dry-run=server
rollout undo daemonset/agent --dry-run=server -o name
rollout history deployment/web
rollout undo deployment/web
rollout undo daemonset/agent
rollout undo statefulset/db --to-revision=1
rollout history deployment/web
rollout history daemonset/agent
rollout history statefulset/db
rollout undo deployment/web --to-revision=3
rollout pause OBJECT
rollout pause deployment/web
rollout restart deployment/web
rollout undo deployment/web
rollout status deployment/web --watch=false
rollout resume deployment/web -o name
rollout resume deployment/web deployment/other
rollout restart deployment/web daemonset/agent statefulset/db
rollout restart deployment/other -o name
rollout history deployment/web
scale OBJECT --replicas=0 --dry-run=client
scale OBJECT --replicas=0 --dry-run=server
scale OBJECT --replicas=0
scale OBJECT --replicas=0 --current-replicas=0
scale OBJECT --replicas=0 --current-replicas=3
scale deployment/web --replicas=0 --resource-version=1
scale deployment/web deployment/other --replicas=0 --resource-version=1
scale deployment/web statefulset/db deployment/nothing --replicas=0
scale deployment web other --replicas=0 -o name
scale deployment --all --replicas=0
scale deployment -l team=web --replicas=0
scale deployment/web --replicas=0 --timeout=5s
rollout status service/kubernetes
`

// rolloutLines are the command lines with every kind and object in its place.
func rolloutLines() (list []string) {
	objects := []string{
		"deployment/web", "daemonset/agent", "statefulset/db", "statefulset/part", "statefulset/hand", "replicaset/set", "replicationcontroller/rc", "job/sums", "cronjob/cron", "pod/pod",
	}
	for line := range strings.Lines(rolloutSteps) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.Contains(line, "OBJECT"):
			for _, o := range objects {
				list = append(list, strings.ReplaceAll(line, "OBJECT", o))
			}
		case strings.Contains(line, "KIND/"):
			for _, o := range objects {
				kind, _, _ := strings.Cut(o, "/")
				if s := strings.ReplaceAll(line, "KIND", kind); len(list) == 0 || list[len(list)-1] != s {
					list = append(list, s)
				}
			}
		default:
			list = append(list, line)
		}
	}
	return list
}

// said is what a command prints, as far as podd and kubectl are to agree: spaces, the name of the program and versions of objects are
// left out, and so are podd's own warnings.
func said(out, errOut string, code int) string {
	var lines []string
	for line := range strings.Lines(out + errOut) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !strings.HasPrefix(line, "Warning: its file stays") {
			lines = append(lines, line)
		}
	}
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "kubectl", "podd")
	text = regexp.MustCompile(`resource version to be 1, was \d+`).ReplaceAllString(text, "resource version to be 1, was N")
	return fmt.Sprintf("%s\nexit code %d\n", text, code)
}

// playRollout runs all command lines on a board, and returns what each of them says.
func playRollout(b *harness.Board, run func(args ...string) (out, errOut string, code int)) string {
	b.T.Helper()
	var all strings.Builder
	for _, line := range rolloutLines() {
		fmt.Fprintf(&all, "$ %s\n", line)
		if version, ok := strings.CutPrefix(line, "edit "); ok {
			b.MustDrop("all", rolloutKinds(version))
			for _, o := range []string{"deployment/web", "deployment/other", "daemonset/agent", "statefulset/db", "statefulset/part", "statefulset/hand"} {
				b.Until(harness.Has(" "+version+"\n"), "rollout", "history", o)
			}
			continue
		}
		all.WriteString(said(run(strings.Fields(line)...)))
	}
	return all.String()
}

// podd rollout and podd scale say what kubectl says of every kind, with its exit codes, and leave what it leaves: the recording is
// of a kubectl that has done the same on a board (go test -update-rollout -run TestRolloutAsKubectl ./test/e2e/workloads).
func TestRolloutAsKubectl(t *testing.T) {
	t.Parallel()
	const golden = "testdata/rollout.txt"
	b := harness.NewBoard(t)
	run := func(args ...string) (string, string, int) { return b.RunCLI(args...) }
	if *updateRollout {
		address, home := "http://"+b.OverTCP(), t.TempDir()
		run = func(args ...string) (string, string, int) {
			command := exec.Command("kubectl", append([]string{"--server", address}, args...)...)
			command.Env = append(os.Environ(), "HOME="+home, "KUBECONFIG=/dev/null", "TZ=UTC")
			var out, errOut bytes.Buffer
			command.Stdout, command.Stderr = &out, &errOut
			if err := command.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			return out.String(), errOut.String(), command.ProcessState.ExitCode()
		}
		b.Must(os.WriteFile(golden, []byte(playRollout(b, run)), 0o644))
		return
	}
	want, err := os.ReadFile(golden)
	b.Must(err)
	got, recorded := strings.Split(playRollout(b, run), "$ "), strings.Split(string(want), "$ ")
	if len(got) != len(recorded) {
		t.Fatalf("%d commands, %d are recorded", len(got), len(recorded))
	}
	for i := range got {
		line, answer, _ := strings.Cut(got[i], "\n")
		of, want, _ := strings.Cut(recorded[i], "\n")
		if line != of || answer != want && !differsOnPurpose(line, answer, want) {
			t.Errorf("podd %s\n%s\nkubectl %s\n%s", line, answer, of, want)
		}
	}
}

// differsOnPurpose says of an answer that it is podd's own, for a reason that docs/workloads.md gives.
func differsOnPurpose(line, got, want string) bool {
	switch missing := "required resource not specified: name a workload, as in podd "; {
	case strings.Contains(got, missing):
		return strings.Contains(want, "required resource not specified") || strings.Contains(want, "You must provide one or more resources")
	case strings.Contains(want, "required flag(s)"): // which some releases put into a line of a log
		return strings.HasPrefix(got, `error: required flag(s) "replicas" not set`)
	case strings.HasPrefix(want, "error: no objects passed to scale "): // releases before 1.37
		return strings.Contains(got, "Error from server (NotFound): "+strings.TrimPrefix(want, "error: no objects passed to scale "))
	case strings.HasPrefix(line, "rollout undo daemonset/") || strings.HasPrefix(line, "rollout undo statefulset/"):
		// It compares with a text that only API servers of its own age write.
		return strings.Contains(want, "rolled back") && strings.Contains(got, "skipped rollback (current template already matches revision 1)")
	}
	return false
}

package workloads

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"podd/test/harness"
	"podd/test/lab"
)

// deploymentOf is a web server that answers with a word, in some replicas.
func deploymentOf(name, word string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: web
        image: busybox
        imagePullPolicy: Never
        command: [sh, -c]
        args: ["mkdir /tmp/www && echo %[2]s > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]
        readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
`, name, word, replicas)
}

// asker asks an address without a break and counts what it answers.
type asker struct {
	quit, done chan struct{}
	mu         sync.Mutex
	answers    map[string]int
}

func keepAsking(b *harness.Board, addr string) *asker {
	a := &asker{quit: make(chan struct{}), done: make(chan struct{}), answers: map[string]int{}}
	go func() {
		defer close(a.done)
		for {
			select {
			case <-a.quit:
				return
			default:
			}
			answer := b.Answers(addr)
			a.mu.Lock()
			a.answers[answer]++
			a.mu.Unlock()
		}
	}()
	return a
}

// until waits for an answer.
func (a *asker) until(answer string) error {
	return lab.Poll(harness.Limit, func() (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.answers[answer] > 0, fmt.Errorf("no answer is %q, but %v", answer, a.answers)
	})
}

// stop ends the asking. Only then may the answers be read.
func (a *asker) stop() map[string]int {
	close(a.quit)
	<-a.done
	return a.answers
}

// A Deployment of the folder runs behind a Service; a new version takes its place and no request is lost; podd may die
// meanwhile, and the board may be switched off.
//
// e2e: [sig-apps] Deployment :: RollingUpdateDeployment should delete old pods and create new ones
// e2e: [sig-apps] Deployment :: deployment should support rollover
func TestDeploymentBehindAService(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("svc", harness.ServiceOf("web", "selector: {app: web}", "ports: [{port: 80, targetPort: 8080}]"))
	b.MustDrop("web", deploymentOf("web", "one", 2))
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	addr := b.Service("web").Spec.ClusterIP + ":80"
	asking := keepAsking(b, addr)
	b.Must(asking.until("one"))
	b.MustDrop("web", deploymentOf("web", "two", 2))
	b.Must(asking.until("two"))
	b.Until(func(out string) bool { return harness.Has("2/2")(out) && strings.Count(out, "\n") == 2 }, "get", "deploy", "web")
	b.Until(func(out string) bool { return strings.Count(out, "Running") == 2 && !harness.Has("Terminating")(out) }, "get", "pods", "-l", "app=web")
	b.WantAnswer(addr, "two")
	answers := asking.stop()
	t.Logf("answers: %v", answers)
	if answers["one"] == 0 || answers["two"] == 0 || len(answers) != 2 {
		t.Errorf("requests were lost: %v", answers)
	}
	// Dead in the middle of a rollout.
	b.MustDrop("web", deploymentOf("web", "three", 2))
	b.Until(func(out string) bool { return strings.Count(out, "\n") >= 4 }, "get", "pods", "-l", "app=web")
	b.MustKill9()
	b.MustStart()
	b.WantAnswer(addr, "three")
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	b.Until(func(out string) bool { return strings.Count(out, "Running") == 2 }, "get", "pods", "-l", "app=web")
	b.Until(func(out string) bool { return strings.Count(out, "\n") == 4 }, "get", "rs")
	b.MustReboot()
	b.MustStart()
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	b.Until(func(out string) bool { return strings.Count(out, "\n") == 4 }, "get", "rs")
	b.MustRemove("web")
	b.Until(func(out string) bool { return !strings.Contains(out, "web-") }, "get", "pods")
}

// jobOf runs a script until it has succeeded some times.
func jobOf(name, script string, completions int) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s}\nspec:\n  completions: %d\n  parallelism: 2\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n%s",
		name, completions, harness.Indent(harness.ContainerOf("main", script), 6))
}

// A Job runs its pods to the end, counts each of them once whatever dies meanwhile, and does not run again.
//
// e2e: [sig-apps] Job :: should run a job to completion when tasks succeed
func TestJobOfTheFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("sums", jobOf("sums", "sleep 1; echo done", 4))
	b.Until(func(out string) bool { return harness.Has("/4")(out) && !harness.Has("0/4")(out) }, "get", "job", "sums")
	b.MustKill9()
	b.MustStart()
	b.Until(harness.Has("Complete", "4/4"), "get", "job", "sums")
	b.Until(func(out string) bool { return strings.Count(out, "Completed") == 4 }, "get", "pods")
	b.MustReboot()
	b.MustStart()
	b.Until(harness.Has("Complete", "4/4"), "get", "job", "sums")
	// Whose end was being written is not there any more. It is counted, and none runs again. Of one that ended while there
	// was no podd the exit code is lost, and another one has run in its place.
	b.Until(func(out string) bool {
		return strings.Count(out, "Completed")+strings.Count(out, "ContainerStatusUnknown") == strings.Count(out, "\n")-1
	}, "get", "pods")
	b.MustRemove("sums")
	b.Until(func(out string) bool { return !strings.Contains(out, "sums-") }, "get", "pods")
}

// statefulSetOf keeps a number of what it was started in a claim of each of its pods.
func statefulSetOf(name, word string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %[1]s}
spec:
  replicas: %[3]d
  serviceName: %[1]s
  selector: {matchLabels: {app: %[1]s}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: main
        image: busybox
        imagePullPolicy: Never
        command: [sh, -c]
        args: ["echo %[2]s $HOSTNAME >> /data/starts; trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]
        volumeMounts: [{name: data, mountPath: /data}]
`, name, word, replicas)
}

// The pods of a StatefulSet have names and claims of their own, which stay over a new version, a death, a reboot, and the end of the
// set.
//
// e2e: [sig-apps] StatefulSet :: should provide basic identity
// e2e: [sig-apps] StatefulSet :: should perform rolling updates and roll backs of template modifications
func TestStatefulSetOfTheFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("db", harness.ServiceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{port: 80}]")+"---\n"+statefulSetOf("db", "one", 2))
	b.Until(harness.Has("2/2"), "get", "sts", "db")
	pod := b.Running("db-1")
	if pod.Spec.Hostname != "db-1" || pod.Spec.Subdomain != "db" || pod.Labels["apps.kubernetes.io/pod-index"] != "1" {
		t.Errorf("%+v", pod.Spec)
	}
	b.Until(harness.Has("data-db-0", "data-db-1", "Bound"), "get", "pvc")
	b.MustDrop("client", harness.OnePod("client", harness.Forever))
	b.Running("client")
	b.Lookup("client", "db-1.db.default.svc.cluster.local", pod.Status.PodIP)
	b.MustKill9()
	b.MustStart()
	b.MustDrop("db", harness.ServiceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{port: 80}]")+"---\n"+statefulSetOf("db", "two", 2))
	starts := func(pod, want string) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			out, stderr, code := b.RunCLI("exec", pod, "--", "cat", "/data/starts")
			return code == 0 && out == want, fmt.Errorf("%q %s", out, stderr)
		}))
	}
	starts("db-0", "one db-0\ntwo db-0\n")
	starts("db-1", "one db-1\ntwo db-1\n")
	b.MustReboot()
	b.MustStart()
	starts("db-1", "one db-1\ntwo db-1\ntwo db-1\n")
	b.MustRemove("db")
	b.Gone("db-0")
	b.Gone("db-1")
	b.Until(harness.Has("data-db-0", "data-db-1"), "get", "pvc")
	b.MustDrop("db", statefulSetOf("db", "three", 2))
	starts("db-1", "one db-1\ntwo db-1\ntwo db-1\nthree db-1\n")
}

// What is set by hand holds over a death and a reboot, until the file changes that field.
func TestRolloutByHand(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", deploymentOf("web", "one", 1))
	b.Until(harness.Has("successfully rolled out"), "rollout", "status", "deployment/web", "--timeout", "40s")
	b.MustDrop("web", deploymentOf("web", "two", 1))
	b.Until(harness.Has("successfully rolled out"), "rollout", "status", "deploy/web", "--timeout", "40s")
	b.Until(harness.Has("deployment.apps/web", "REVISION", "1 ", "2 "), "rollout", "history", "deploy/web")
	b.Until(harness.Has("rolled back"), "rollout", "undo", "deploy/web")
	b.Until(harness.Has("echo one"), "get", "deploy", "web", "-o", "yaml")
	b.Until(harness.Has("scaled"), "scale", "deploy/web", "--replicas=2")
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	b.MustKill9()
	b.MustStart()
	b.Until(harness.Has("StrategyType:", "2 desired", "ScalingReplicaSet"), "describe", "deploy", "web")
	b.MustReboot()
	b.MustStart()
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	b.Until(harness.Has("echo one", "podd.dev/overrides: spec.replicas,spec.template"), "get", "deploy", "web", "-o", "yaml")
	b.Until(harness.Has("deployment.apps/web", "replicaset.apps/web-", "pod/web-"), "get", "all")
	b.MustDrop("web", deploymentOf("web", "three", 1))
	b.Until(harness.Has("echo three", "podd.dev/overrides: spec.replicas\n"), "get", "deploy", "web", "-o", "yaml")
	b.Until(harness.Has("2/2"), "get", "deploy", "web")
	if _, stderr, code := b.RunCLI("scale", "deploy/web", "--replicas=-2"); code == 0 || !strings.Contains(stderr, "--replicas") {
		t.Errorf("%d %s", code, stderr)
	}
}

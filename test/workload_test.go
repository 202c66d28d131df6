package test

import (
	"fmt"
	"strings"
	"testing"

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

// until runs a command until what it prints is as asked.
func (b *Board) until(want func(out string) bool, args ...string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		out, stderr, code := b.run(args...)
		return code == 0 && want(out), fmt.Errorf("podd %s: %s%s", strings.Join(args, " "), out, stderr)
	}))
}

// keepAsking asks an address until stop is called, and then has counted what it answered.
func (b *Board) keepAsking(addr string) (answers map[string]int, stop func()) {
	answers = map[string]int{}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				answers[b.answers(addr)]++
			}
		}
	}()
	return answers, func() { close(quit); <-done }
}

func has(words ...string) func(string) bool {
	return func(out string) bool {
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false
			}
		}
		return true
	}
}

// A Deployment of the folder runs behind a Service; a new version takes its place and no request is lost; podd may die
// meanwhile, and the board may be switched off.
//
// e2e: [sig-apps] Deployment :: RollingUpdateDeployment should delete old pods and create new ones
// e2e: [sig-apps] Deployment :: deployment should support rollover
func TestDeploymentBehindAService(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("svc", serviceOf("web", "selector: {app: web}", "ports: [{port: 80, targetPort: 8080}]"))
	b.drop("web", deploymentOf("web", "one", 2))
	b.until(has("2/2"), "get", "deploy", "web")
	addr := b.service("web").Spec.ClusterIP + ":80"
	answers, stop := b.keepAsking(addr)
	b.wantAnswer(addr, "one")
	b.drop("web", deploymentOf("web", "two", 2))
	b.until(func(out string) bool { return has("2/2")(out) && strings.Count(out, "\n") == 2 }, "get", "deploy", "web")
	b.until(func(out string) bool { return strings.Count(out, "Running") == 2 && !has("Terminating")(out) }, "get", "pods", "-l", "app=web")
	b.wantAnswer(addr, "two")
	stop()
	t.Logf("answers: %v", answers)
	if answers["one"] == 0 || answers["two"] == 0 || len(answers) != 2 {
		t.Errorf("requests were lost: %v", answers)
	}
	// Dead in the middle of a rollout.
	b.drop("web", deploymentOf("web", "three", 2))
	b.until(func(out string) bool { return strings.Count(out, "\n") >= 4 }, "get", "pods", "-l", "app=web")
	b.kill9()
	b.start()
	b.wantAnswer(addr, "three")
	b.until(has("2/2"), "get", "deploy", "web")
	b.until(func(out string) bool { return strings.Count(out, "Running") == 2 }, "get", "pods", "-l", "app=web")
	b.until(func(out string) bool { return strings.Count(out, "\n") == 4 }, "get", "rs")
	b.reboot()
	b.start()
	b.until(has("2/2"), "get", "deploy", "web")
	b.until(func(out string) bool { return strings.Count(out, "\n") == 4 }, "get", "rs")
	b.remove("web")
	b.until(func(out string) bool { return !strings.Contains(out, "web-") }, "get", "pods")
}

// jobOf runs a script until it has succeeded some times.
func jobOf(name, script string, completions int) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s}\nspec:\n  completions: %d\n  parallelism: 2\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n%s",
		name, completions, indent(containerOf("main", script), 6))
}

// A Job runs its pods to the end, counts each of them once whatever dies meanwhile, and does not run again.
//
// e2e: [sig-apps] Job :: should run a job to completion when tasks succeed
func TestJobOfTheFolder(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("sums", jobOf("sums", "sleep 1; echo done", 4))
	b.until(func(out string) bool { return has("/4")(out) && !has("0/4")(out) }, "get", "job", "sums")
	b.kill9()
	b.start()
	b.until(has("Complete", "4/4"), "get", "job", "sums")
	b.until(func(out string) bool { return strings.Count(out, "Completed") == 4 }, "get", "pods")
	b.reboot()
	b.start()
	b.until(has("Complete", "4/4"), "get", "job", "sums")
	// Whose end was being written is not there any more. It is counted, and none runs again. Of one that ended while there
	// was no podd the exit code is lost, and another one has run in its place.
	b.until(func(out string) bool {
		return strings.Count(out, "Completed")+strings.Count(out, "ContainerStatusUnknown") == strings.Count(out, "\n")-1
	}, "get", "pods")
	b.remove("sums")
	b.until(func(out string) bool { return !strings.Contains(out, "sums-") }, "get", "pods")
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
	b := newBoard(t)
	b.drop("db", serviceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{port: 80}]")+"---\n"+statefulSetOf("db", "one", 2))
	b.until(has("2/2"), "get", "sts", "db")
	pod := b.running("db-1")
	if pod.Spec.Hostname != "db-1" || pod.Spec.Subdomain != "db" || pod.Labels["apps.kubernetes.io/pod-index"] != "1" {
		t.Errorf("%+v", pod.Spec)
	}
	b.until(has("data-db-0", "data-db-1", "Bound"), "get", "pvc")
	b.drop("client", onePod("client", forever))
	b.running("client")
	b.lookup("client", "db-1.db.default.svc.cluster.local", pod.Status.PodIP)
	b.kill9()
	b.start()
	b.drop("db", serviceOf("db", "clusterIP: None", "selector: {app: db}", "ports: [{port: 80}]")+"---\n"+statefulSetOf("db", "two", 2))
	starts := func(pod, want string) {
		t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) {
			out, stderr, code := b.run("exec", pod, "--", "cat", "/data/starts")
			return code == 0 && out == want, fmt.Errorf("%q %s", out, stderr)
		}))
	}
	starts("db-0", "one db-0\ntwo db-0\n")
	starts("db-1", "one db-1\ntwo db-1\n")
	b.reboot()
	b.start()
	starts("db-1", "one db-1\ntwo db-1\ntwo db-1\n")
	b.remove("db")
	b.gone("db-0")
	b.gone("db-1")
	b.until(has("data-db-0", "data-db-1"), "get", "pvc")
	b.drop("db", statefulSetOf("db", "three", 2))
	starts("db-1", "one db-1\ntwo db-1\ntwo db-1\nthree db-1\n")
}

// What is set by hand holds over a death and a reboot, until the file changes that field.
func TestRolloutByHand(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("web", deploymentOf("web", "one", 1))
	b.until(has("successfully rolled out"), "rollout", "status", "deployment/web", "--timeout", "40s")
	b.drop("web", deploymentOf("web", "two", 1))
	b.until(has("successfully rolled out"), "rollout", "status", "deploy/web", "--timeout", "40s")
	b.until(has("deployment.apps/web", "REVISION", "1 ", "2 "), "rollout", "history", "deploy/web")
	b.until(has("rolled back"), "rollout", "undo", "deploy/web")
	b.until(has("echo one"), "get", "deploy", "web", "-o", "yaml")
	b.until(has("scaled"), "scale", "deploy/web", "--replicas=2")
	b.until(has("2/2"), "get", "deploy", "web")
	b.kill9()
	b.start()
	b.until(has("StrategyType:", "2 desired", "ScalingReplicaSet"), "describe", "deploy", "web")
	b.reboot()
	b.start()
	b.until(has("2/2"), "get", "deploy", "web")
	b.until(has("echo one", "podd.dev/overrides: spec.replicas,spec.template"), "get", "deploy", "web", "-o", "yaml")
	b.until(has("deployment.apps/web", "replicaset.apps/web-", "pod/web-"), "get", "all")
	b.drop("web", deploymentOf("web", "three", 1))
	b.until(has("echo three", "podd.dev/overrides: spec.replicas\n"), "get", "deploy", "web", "-o", "yaml")
	b.until(has("2/2"), "get", "deploy", "web")
	if _, stderr, code := b.run("scale", "deploy/web", "--replicas=-2"); code == 0 || !strings.Contains(stderr, "--replicas") {
		t.Errorf("%d %s", code, stderr)
	}
}

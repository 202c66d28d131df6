package lifecycle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// Readiness over each kind of probe: it comes, goes and comes back, and restarts nothing.
//
// e2e: Probing container :: with readiness probe that fails should never be ready and never restart
// e2e: Probing container :: should *not* be restarted with a /healthz http liveness probe
// e2e: Probing container :: should *not* be restarted with a GRPC liveness probe
func TestReadiness(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	const often = "  periodSeconds: 1\n  failureThreshold: 1\n  timeoutSeconds: 10\n"
	for name, probe := range map[string]string{
		"http":  "  httpGet: {path: /healthz, port: web, httpHeaders: [{name: X-Own, value: mine}]}\n",
		"https": "  httpGet: {path: /healthz, port: 8443, scheme: HTTPS}\n",
		"h2c":   "  httpGet: {path: /healthz, port: 8080, protocol: HTTP2}\n",
		"grpc":  "  grpc: {port: 8080, service: well}\n",
		"tls":   "  grpc: {port: 8443, mode: TLS}\n",
		"exec":  "  exec: {command: [sh, -c, 'test ! -e /sick || { echo it is sick; exit 1; }']}\n",
	} {
		b.MustDrop(name, harness.PodOf(name, harness.Probed("main", "exec answerer -tls 8443",
			"ports: [{containerPort: 8080, name: web}]", "readinessProbe:\n"+probe+often, "livenessProbe:\n"+strings.ReplaceAll(probe, "web", "8080")+"  failureThreshold: 1000\n  periodSeconds: 1\n")))
	}
	for _, name := range []string{"http", "https", "h2c", "grpc", "tls", "exec"} {
		pod := b.WaitPod(name, harness.IsReady("main"))
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionTrue {
			t.Errorf("%s: a ready container, and the pod is not: %s", name, harness.Brief(pod))
		}
		b.Sh(name, "main", "touch /sick")
		pod = b.WaitPod(name, harness.IsUnready("main"))
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse || conditionOf(pod, corev1.ContainersReady).Status != corev1.ConditionFalse {
			t.Errorf("%s: an unready container, and the pod is ready: %s", name, harness.Brief(pod))
		}
		b.Sh(name, "main", "rm /sick")
		pod = b.WaitPod(name, harness.IsReady("main"))
		if status := harness.ContainerStatus(pod, "main"); status.RestartCount != 0 || status.Started == nil || !*status.Started {
			t.Errorf("%s: %s", name, harness.Brief(pod))
		}
	}
	b.Happened("http", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", 1)
	b.Happened("grpc", "Unhealthy", `Liveness probe failed: service unhealthy (responded with "NOT_SERVING")`, 1)
	b.Happened("exec", "Unhealthy", "Readiness probe failed: it is sick", 1)
	for name, want := range map[string]string{
		"http": "HTTP/1.1 GET /healthz Host=" + b.MustPod("http").Status.PodIP + ":8080 User-Agent=kube-probe/1.37 X-Own=mine",
		"h2c":  "HTTP/2.0 GET /healthz Host=" + b.MustPod("h2c").Status.PodIP + ":8080 User-Agent=kube-probe/1.37",
		"grpc": "HTTP/2.0 POST /grpc.health.v1.Health/Check Host=" + b.MustPod("grpc").Status.PodIP + ":8080 User-Agent=kube-probe/1.37",
	} {
		b.Saw(name, want, 2)
	}
}

// A container without a good answer is never ready, and one whose readiness fails is not restarted.
//
// e2e: Probing container :: with readiness probe that fails should never be ready and never restart
func TestNeverReady(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("bad", harness.PodOf("bad", harness.Probed("main", harness.Forever, "readinessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n")))
	b.Happened("bad", "Unhealthy", "Readiness probe failed: ", 4)
	pod := b.MustPod("bad")
	if status := harness.ContainerStatus(pod, "main"); status.Ready || status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("status is %s", harness.Brief(pod))
	}
	if _, _, code := b.RunCLI("exec", "bad", "--", "true"); code != 0 {
		t.Error("an unready container is not reached by exec")
	}
}

// e2e: Probing container :: with readiness probe should not be ready before initial delay and never restart
func TestInitialDelay(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("late", harness.PodOf("late", harness.Probed("main", harness.Forever, "readinessProbe:\n  exec: {command: ['true']}\n  initialDelaySeconds: 3\n  periodSeconds: 1\n")))
	pod := b.WaitPod("late", harness.IsReady("main"))
	began := harness.ContainerStatus(pod, "main").State.Running.StartedAt.Time
	for _, c := range pod.Status.Conditions {
		// The API counts whole seconds.
		if c.Type == corev1.PodReady && c.LastTransitionTime.Sub(began) < 2*time.Second {
			t.Errorf("ready at %v, %v after its start", c.LastTransitionTime, c.LastTransitionTime.Sub(began))
		}
	}
}

// A failing liveness probe restarts its container, with the words and the counters of a kubelet; others go on.
//
// e2e: Probing container :: should be restarted with a exec "cat /tmp/health" liveness probe
// e2e: Probing container :: should have monotonically increasing restart count
func TestLiveness(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("ill", harness.PodOf("ill",
		harness.Probed("main", "echo ok >/tmp/health; sleep 2; rm /tmp/health; "+harness.Forever, "livenessProbe:\n  exec: {command: [cat, /tmp/health]}\n  periodSeconds: 1\n  failureThreshold: 2\n"),
		harness.ContainerOf("other", harness.Forever)))
	pod := b.WaitPod("ill", harness.HasRestarted("main", 2))
	if status := harness.ContainerStatus(pod, "other"); status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("the other container: %+v", status)
	}
	b.Happened("ill", "Unhealthy", "Liveness probe failed: cat: can't open '/tmp/health': No such file or directory", 4)
	event := b.Happened("ill", "Killing", "Container main failed liveness probe, will be restarted", 2)
	if event.InvolvedObject.FieldPath != "spec.containers{main}" || event.Type != corev1.EventTypeNormal {
		t.Errorf("the event is %+v", event)
	}
	if last := harness.ContainerStatus(pod, "main").LastTerminationState.Terminated; last == nil || last.Reason != "Completed" && last.Reason != "Error" {
		t.Errorf("the last state is %+v", last)
	}
}

// Liveness over the network: a port that nobody serves, an answer that is an error, and an open port that is enough.
//
// e2e: Probing container :: should be restarted with a GRPC liveness probe
// e2e: Probing container :: should *not* be restarted with a tcp:8080 liveness probe
// e2e: Probing container :: should *not* be restarted with a non-local redirect http liveness probe
func TestLivenessOverNetwork(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	const often = "  periodSeconds: 1\n  failureThreshold: 1\n"
	started := "startupProbe:\n  tcpSocket: {port: 8080}\n  periodSeconds: 1\n  failureThreshold: 100\n"
	for name, probe := range map[string]string{
		"tcp":      "  tcpSocket: {port: 8080}\n",
		"local":    "  httpGet: {path: '/to?/healthz', port: 8080}\n",
		"nonlocal": "  httpGet: {path: '/to?http://0.0.0.0/', port: 8080}\n",
		"badport":  "  grpc: {port: 2333}\n",
		"badlocal": "  httpGet: {path: '/to?/nowhere', port: 8080}\n",
		"loopback": "  tcpSocket: {port: 8080, host: 127.0.0.1}\n",
	} {
		script := "exec answerer"
		if name == "tcp" {
			script = "touch /sick; exec answerer"
		}
		b.MustDrop(name, harness.PodOf(name, harness.Probed("main", script, started+"livenessProbe:\n"+probe+often)))
	}
	b.WaitPod("badport", harness.HasRestarted("main", 1))
	b.Happened("badport", "Unhealthy", "Liveness probe failed: error: failed to connect service at ", 1)
	b.WaitPod("badlocal", harness.HasRestarted("main", 1))
	b.Happened("badlocal", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404", 1)
	b.Happened("nonlocal", "ProbeWarning", "Liveness probe warning: Probe terminated redirects, Response body: ", 3)
	b.Saw("local", "GET /healthz", 3)
	for _, name := range []string{"tcp", "local", "nonlocal", "loopback"} {
		if status := harness.ContainerStatus(b.MustPod(name), "main"); status.RestartCount != 0 || !status.Ready {
			t.Errorf("%s was restarted: %+v", name, status)
		}
		b.NeverHappened(name, "Killing")
	}
}

// A command that outlasts its timeout has failed, and nothing of it is left: no child in the background, no pipe.
//
// e2e: Probing container :: should be restarted with an exec liveness probe with timeout
func TestExecProbeTimeout(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	probe := "  exec: {command: [sh, -c, 'sleep 4000 & sleep 4001 | cat; sleep 4002']}\n  timeoutSeconds: 1\n  periodSeconds: 1\n"
	b.MustDrop("hangs", harness.PodOf("hangs", harness.Probed("main", harness.Forever, "readinessProbe:\n"+probe)))
	b.Happened("hangs", "Unhealthy", `Readiness probe failed: command timed out: "sh -c sleep 4000 & sleep 4001 | cat; sleep 4002" timed out after 1s`, 3)
	if got := b.Sh("hangs", "main", "pidof sleep | wc -w"); got > "4" {
		t.Errorf("%s processes of probes are left", got)
	}
	b.MustDrop("killed", harness.PodOf("killed", harness.Probed("main", harness.Forever, "livenessProbe:\n"+probe+"  failureThreshold: 1\n")))
	b.WaitPod("killed", harness.HasRestarted("main", 1))
}

// Probes that hang cost nobody else anything: not the probes of other pods, and not the API.
func TestHungProbes(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	var parts []string
	for _, name := range strings.Fields("a b c d e f g h i j k l") {
		parts = append(parts, harness.Probed(name, harness.Forever, "readinessProbe:\n  exec: {command: [sleep, '1000']}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n"))
	}
	parts = append(parts, harness.Probed("server", "exec answerer",
		"livenessProbe:\n  httpGet: {path: /hang, port: 8080}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n"))
	b.MustDrop("hung", harness.PodOf("hung", parts...))
	b.Running("hung")
	b.MustDrop("well", harness.PodOf("well", harness.Probed("main", "exec answerer", "readinessProbe:\n  exec: {command: ['true']}\n  periodSeconds: 1\n",
		"livenessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  initialDelaySeconds: 1\n  periodSeconds: 1\n")))
	b.WaitPod("well", harness.IsReady("main"))
	b.Saw("well", "GET /healthz", 3)
	pod := b.MustPod("hung")
	if harness.ContainerStatus(pod, "a").Ready || conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse {
		t.Errorf("a pod whose probes hang is ready: %s", harness.Brief(pod))
	}
	b.MustRemove("hung")
	b.Gone("hung")
}

// A command that hangs while its daemon dies is ended by the next one; nothing else in the container is.
func TestHungProbeOfADeadDaemon(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t, harness.WithFDStore)
	b.MustDrop("left", harness.PodOf("left", harness.Probed("main", "sleep 3000 & "+harness.Forever,
		"readinessProbe:\n  exec: {command: [sh, -c, 'test -e /well || { sleep 4000 | sleep 4001; }']}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n")))
	b.Running("left")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		out, _, _ := b.RunCLI("exec", "left", "--", "sh", "-c", "pidof sleep | wc -w")
		return strings.TrimSpace(out) == "4", fmt.Errorf("%s processes sleep", out)
	}))
	b.Sh("left", "main", "touch /well")
	b.MustKill9()
	b.Must(b.Ready(harness.Limit))
	b.WaitPod("left", harness.IsReady("main"))
	got := b.Sh("left", "main", "for p in $(pidof sleep); do tr '\\0' ' ' </proc/$p/cmdline; done")
	if strings.Contains(got, "sleep 400") || !strings.Contains(got, "sleep 3000") || !strings.Contains(got, "sleep 1000") {
		t.Errorf("there sleep: %s", got)
	}
}

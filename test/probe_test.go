package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// Readiness over each kind of probe: it comes, goes and comes back, and restarts nothing.
//
// e2e: Probing container :: with readiness probe that fails should never be ready and never restart
// e2e: Probing container :: should *not* be restarted with a /healthz http liveness probe
// e2e: Probing container :: should *not* be restarted with a GRPC liveness probe
func TestReadiness(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	const often = "  periodSeconds: 1\n  failureThreshold: 1\n  timeoutSeconds: 10\n"
	for name, probe := range map[string]string{
		"http":  "  httpGet: {path: /healthz, port: web, httpHeaders: [{name: X-Own, value: mine}]}\n",
		"https": "  httpGet: {path: /healthz, port: 8443, scheme: HTTPS}\n",
		"h2c":   "  httpGet: {path: /healthz, port: 8080, protocol: HTTP2}\n",
		"grpc":  "  grpc: {port: 8080, service: well}\n",
		"tls":   "  grpc: {port: 8443, mode: TLS}\n",
		"exec":  "  exec: {command: [sh, -c, 'test ! -e /sick || { echo it is sick; exit 1; }']}\n",
	} {
		b.drop(name, podOf(name, probed("main", "exec answerer -tls 8443",
			"ports: [{containerPort: 8080, name: web}]", "readinessProbe:\n"+probe+often, "livenessProbe:\n"+strings.ReplaceAll(probe, "web", "8080")+"  failureThreshold: 1000\n  periodSeconds: 1\n")))
	}
	for _, name := range []string{"http", "https", "h2c", "grpc", "tls", "exec"} {
		pod := b.wait(name, isReady("main"))
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionTrue {
			t.Errorf("%s: a ready container, and the pod is not: %s", name, brief(pod))
		}
		b.sh(name, "main", "touch /sick")
		pod = b.wait(name, isUnready("main"))
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse || conditionOf(pod, corev1.ContainersReady).Status != corev1.ConditionFalse {
			t.Errorf("%s: an unready container, and the pod is ready: %s", name, brief(pod))
		}
		b.sh(name, "main", "rm /sick")
		pod = b.wait(name, isReady("main"))
		if status := containerStatus(pod, "main"); status.RestartCount != 0 || status.Started == nil || !*status.Started {
			t.Errorf("%s: %s", name, brief(pod))
		}
	}
	b.happened("http", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", 1)
	b.happened("grpc", "Unhealthy", `Liveness probe failed: service unhealthy (responded with "NOT_SERVING")`, 1)
	b.happened("exec", "Unhealthy", "Readiness probe failed: it is sick", 1)
	for name, want := range map[string]string{
		"http": "HTTP/1.1 GET /healthz Host=" + b.pod("http").Status.PodIP + ":8080 User-Agent=kube-probe/1.37 X-Own=mine",
		"h2c":  "HTTP/2.0 GET /healthz Host=" + b.pod("h2c").Status.PodIP + ":8080 User-Agent=kube-probe/1.37",
		"grpc": "HTTP/2.0 POST /grpc.health.v1.Health/Check Host=" + b.pod("grpc").Status.PodIP + ":8080 User-Agent=kube-probe/1.37",
	} {
		b.saw(name, want, 2)
	}
}

// A container without a good answer is never ready, and one whose readiness fails is not restarted.
//
// e2e: Probing container :: with readiness probe that fails should never be ready and never restart
func TestNeverReady(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	b.drop("bad", podOf("bad", probed("main", forever, "readinessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n")))
	b.happened("bad", "Unhealthy", "Readiness probe failed: ", 4)
	pod := b.pod("bad")
	if status := containerStatus(pod, "main"); status.Ready || status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("status is %s", brief(pod))
	}
	if _, _, code := b.run("exec", "bad", "--", "true"); code != 0 {
		t.Error("an unready container is not reached by exec")
	}
}

// e2e: Probing container :: with readiness probe should not be ready before initial delay and never restart
func TestInitialDelay(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	b.drop("late", podOf("late", probed("main", forever, "readinessProbe:\n  exec: {command: ['true']}\n  initialDelaySeconds: 3\n  periodSeconds: 1\n")))
	pod := b.wait("late", isReady("main"))
	began := containerStatus(pod, "main").State.Running.StartedAt.Time
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
	b := newProbedBoard(t)
	b.drop("ill", podOf("ill",
		probed("main", "echo ok >/tmp/health; sleep 2; rm /tmp/health; "+forever, "livenessProbe:\n  exec: {command: [cat, /tmp/health]}\n  periodSeconds: 1\n  failureThreshold: 2\n"),
		containerOf("other", forever)))
	pod := b.wait("ill", hasRestarted("main", 2))
	if status := containerStatus(pod, "other"); status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("the other container: %+v", status)
	}
	b.happened("ill", "Unhealthy", "Liveness probe failed: cat: can't open '/tmp/health': No such file or directory", 4)
	event := b.happened("ill", "Killing", "Container main failed liveness probe, will be restarted", 2)
	if event.InvolvedObject.FieldPath != "spec.containers{main}" || event.Type != corev1.EventTypeNormal {
		t.Errorf("the event is %+v", event)
	}
	if last := containerStatus(pod, "main").LastTerminationState.Terminated; last == nil || last.Reason != "Completed" && last.Reason != "Error" {
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
	b := newProbedBoard(t)
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
		b.drop(name, podOf(name, probed("main", script, started+"livenessProbe:\n"+probe+often)))
	}
	b.wait("badport", hasRestarted("main", 1))
	b.happened("badport", "Unhealthy", "Liveness probe failed: error: failed to connect service at ", 1)
	b.wait("badlocal", hasRestarted("main", 1))
	b.happened("badlocal", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404", 1)
	b.happened("nonlocal", "ProbeWarning", "Liveness probe warning: Probe terminated redirects, Response body: ", 3)
	b.saw("local", "GET /healthz", 3)
	for _, name := range []string{"tcp", "local", "nonlocal", "loopback"} {
		if status := containerStatus(b.pod(name), "main"); status.RestartCount != 0 || !status.Ready {
			t.Errorf("%s was restarted: %+v", name, status)
		}
		b.neverHappened(name, "Killing")
	}
}

// A command that outlasts its timeout has failed, and nothing of it is left: no child in the background, no pipe.
//
// e2e: Probing container :: should be restarted with an exec liveness probe with timeout
func TestExecProbeTimeout(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	probe := "  exec: {command: [sh, -c, 'sleep 4000 & sleep 4001 | cat; sleep 4002']}\n  timeoutSeconds: 1\n  periodSeconds: 1\n"
	b.drop("hangs", podOf("hangs", probed("main", forever, "readinessProbe:\n"+probe)))
	b.happened("hangs", "Unhealthy", `Readiness probe failed: command timed out: "sh -c sleep 4000 & sleep 4001 | cat; sleep 4002" timed out after 1s`, 3)
	if got := b.sh("hangs", "main", "pidof sleep | wc -w"); got > "4" {
		t.Errorf("%s processes of probes are left", got)
	}
	b.drop("killed", podOf("killed", probed("main", forever, "livenessProbe:\n"+probe+"  failureThreshold: 1\n")))
	b.wait("killed", hasRestarted("main", 1))
}

// Probes that hang cost nobody else anything: not the probes of other pods, and not the API.
func TestHungProbes(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	var parts []string
	for _, name := range strings.Fields("a b c d e f g h i j k l") {
		parts = append(parts, probed(name, forever, "readinessProbe:\n  exec: {command: [sleep, '1000']}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n"))
	}
	parts = append(parts, probed("server", "exec answerer",
		"livenessProbe:\n  httpGet: {path: /hang, port: 8080}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n"))
	b.drop("hung", podOf("hung", parts...))
	b.running("hung")
	b.drop("well", podOf("well", probed("main", "exec answerer", "readinessProbe:\n  exec: {command: ['true']}\n  periodSeconds: 1\n",
		"livenessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  initialDelaySeconds: 1\n  periodSeconds: 1\n")))
	b.wait("well", isReady("main"))
	b.saw("well", "GET /healthz", 3)
	pod := b.pod("hung")
	if containerStatus(pod, "a").Ready || conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse {
		t.Errorf("a pod whose probes hang is ready: %s", brief(pod))
	}
	b.remove("hung")
	b.gone("hung")
}

// A command that hangs while its daemon dies is ended by the next one; nothing else in the container is.
func TestHungProbeOfADeadDaemon(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t, withFDStore)
	b.drop("left", podOf("left", probed("main", "sleep 3000 & "+forever,
		"readinessProbe:\n  exec: {command: [sh, -c, 'test -e /well || { sleep 4000 | sleep 4001; }']}\n  timeoutSeconds: 1000\n  periodSeconds: 1\n")))
	b.running("left")
	b.must(lab.Poll(limit, func() (bool, error) {
		out, _, _ := b.run("exec", "left", "--", "sh", "-c", "pidof sleep | wc -w")
		return strings.TrimSpace(out) == "4", fmt.Errorf("%s processes sleep", out)
	}))
	b.sh("left", "main", "touch /well")
	b.kill9()
	b.must(b.Ready(limit))
	b.wait("left", isReady("main"))
	got := b.sh("left", "main", "for p in $(pidof sleep); do tr '\\0' ' ' </proc/$p/cmdline; done")
	if strings.Contains(got, "sleep 400") || !strings.Contains(got, "sleep 3000") || !strings.Contains(got, "sleep 1000") {
		t.Errorf("there sleep: %s", got)
	}
}

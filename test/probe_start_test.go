package test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// The startup probe holds the others back, and readiness with them.
//
// e2e: Probing container :: should *not* be restarted by liveness probe because startup probe delays it
// e2e: Probing container :: should be restarted by liveness probe after startup probe enables it
func TestStartupProbe(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	ill := "livenessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	b.drop("slow", podOf("slow", probed("main", forever, ill,
		"startupProbe:\n  exec: {command: [test, -e, /up]}\n  periodSeconds: 1\n  failureThreshold: 1000\n",
		"readinessProbe:\n  exec: {command: ['true']}\n  periodSeconds: 1\n")))
	b.happened("slow", "Unhealthy", "Startup probe failed: ", 3)
	status := containerStatus(b.pod("slow"), "main")
	if status.RestartCount != 0 || status.Ready || status.Started == nil || *status.Started {
		t.Errorf("before it has started up: %+v", status)
	}
	b.sh("slow", "main", "touch /up")
	b.wait("slow", hasRestarted("main", 1))
	b.happened("slow", "Killing", "Container main failed liveness probe, will be restarted", 1)
}

// Both probes may fail for good; what a container has to end in is the probe's own grace, and not the pod's.
//
// e2e: Probing container :: should override timeoutGracePeriodSeconds when LivenessProbe field is set
// e2e: Probing container :: should override timeoutGracePeriodSeconds when StartupProbe field is set
func TestProbeGrace(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	const deaf = "trap '' TERM; while :; do sleep 1; done"
	for _, kind := range []string{"liveness", "startup"} {
		probe := kind + "Probe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n  terminationGracePeriodSeconds: 1\n"
		b.drop(kind, strings.Replace(podOf(kind, probed("main", deaf, probe)), "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 500\n", 1))
	}
	for _, kind := range []string{"liveness", "startup"} {
		pod := b.wait(kind, hasRestarted("main", 1))
		if last := containerStatus(pod, "main").LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
			t.Errorf("%s: the last state is %+v", kind, last)
		}
		b.happened(kind, "Killing", "Container main failed "+kind+" probe, will be restarted", 1)
	}
}

// What the restart policy makes of a container that its probe has ended, whatever its exit code.
func TestUnhealthyByPolicy(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	ill := "livenessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	b.drop("never", podOf("never", "restartPolicy: Never", probed("main", forever, ill)))
	b.drop("onfailure", podOf("onfailure", "restartPolicy: OnFailure", probed("main", forever, ill)))
	b.wait("onfailure", hasRestarted("main", 1)) // although it ended with 0
	pod := b.wait("never", func(pod *corev1.Pod) string {
		if ended(pod, "main") == nil {
			return "it has not ended"
		}
		return ""
	})
	if got := containerStatus(pod, "main").RestartCount; got != 0 {
		t.Errorf("%d restarts", got)
	}
	event := b.happened("never", "Killing", "Container main failed liveness probe", 1)
	if strings.Contains(event.Message, "restarted") {
		t.Errorf("the event says %q", event.Message)
	}
}

// A pod that ends is unready when it says so, and nobody asks whether it lives.
//
// e2e: Probing container :: should mark readiness on pods to false while pod is in progress of terminating when a pod has a readiness probe
// e2e: Probing container :: should mark readiness on pods to false and disable liveness probes while pod is in progress of terminating
func TestProbesOfAnEndingPod(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	probe := "  exec: {command: [test, '!', -e, /ending]}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	manifest := podOf("ends", probed("main", "trap 'touch /ending; sleep 5; exit 0' TERM; while :; do sleep 1000 & wait $!; done",
		"readinessProbe:\n"+probe, "livenessProbe:\n"+probe))
	b.drop("ends", strings.Replace(manifest, "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 30\n", 1))
	b.wait("ends", isReady("main"))
	b.remove("ends")
	b.wait("ends", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it does not end"
		}
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse {
			return "it is ready"
		}
		return ""
	})
	b.gone("ends")
	for _, e := range eventsOf(b, "ends") {
		if e.Reason == "Unhealthy" && strings.HasPrefix(e.Message, "Liveness") {
			t.Errorf("it is asked whether it lives: %s", e.Message)
		}
	}
}

// A daemon that dies takes nothing of what probes have found with it: no container is unready or counts from 0 for it.
func TestProbesSurviveTheDaemon(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t, withFDStore)
	b.drop("up", podOf("up",
		probed("main", "exec answerer", "startupProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n  failureThreshold: 100\n",
			"readinessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n",
			"livenessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n"),
		probed("counts", forever, "livenessProbe:\n  exec: {command: ['false']}\n  initialDelaySeconds: 5\n  periodSeconds: 2\n  failureThreshold: 3\n")))
	before := b.wait("up", isReady("main"))
	b.happened("up", "Unhealthy", "Liveness probe failed: ", 2)
	asked := strings.Count(b.seen("up"), "GET /healthz")
	b.kill9()
	b.must(b.Ready(limit))
	after := b.pod("up")
	if a, z := containerStatus(before, "main"), containerStatus(after, "main"); !z.Ready || !*z.Started || a.ContainerID != z.ContainerID {
		t.Errorf("after the restart: %+v", z)
	}
	b.saw("up", "GET /healthz", asked+3)
	b.wait("up", hasRestarted("counts", 1))
	for _, e := range eventsOf(b, "up") {
		if e.Reason == "Unhealthy" && strings.HasPrefix(e.Message, "Liveness") && e.Count != 3 {
			t.Errorf("%d failures before the end: %s", e.Count, e.Message)
		}
	}
}

func eventsOf(b *Board, pod string) []corev1.Event {
	b.t.Helper()
	list, err := b.Events()
	b.must(err)
	var own []corev1.Event
	for _, e := range list {
		if e.InvolvedObject.Name == pod {
			own = append(own, e)
		}
	}
	return own
}

// A sidecar's startup probe holds back what comes after it, and its liveness restarts it alone.
//
// e2e: Probing restartable init container :: should override timeoutGracePeriodSeconds when StartupProbe field is set [FeatureGate:SidecarContainers]
func TestProbesOfASidecar(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	sidecar := indent(probed("side", forever, "restartPolicy: Always",
		"startupProbe:\n  exec: {command: [test, -e, /up]}\n  periodSeconds: 1\n  failureThreshold: 1000\n",
		"livenessProbe:\n  exec: {command: [test, '!', -e, /sick]}\n  periodSeconds: 1\n  failureThreshold: 1\n"), 0)
	b.drop("pod", podOf("pod", "initContainers:\n"+sidecar, containerOf("main", forever)))
	b.happened("pod", "Unhealthy", "Startup probe failed: ", 2)
	if status := containerStatus(b.pod("pod"), "main"); status.State.Waiting == nil || status.State.Waiting.Reason != "PodInitializing" {
		t.Errorf("the main container: %+v", status)
	}
	b.sh("pod", "side", "touch /up")
	b.running("pod")
	b.sh("pod", "side", "touch /sick")
	pod := b.wait("pod", func(pod *corev1.Pod) string {
		if s := pod.Status.InitContainerStatuses; len(s) == 1 && s[0].RestartCount == 1 {
			return ""
		}
		return "the sidecar was not restarted"
	})
	if status := containerStatus(pod, "main"); status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("the main container: %+v", status)
	}
}

// A pod in the board's network is probed at the board's address.
func TestProbesOnHostNetwork(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	b.drop("host", podOf("host", "hostNetwork: true", probed("main", "exec answerer -port 8097",
		"readinessProbe:\n  httpGet: {path: /healthz, port: 8097}\n  periodSeconds: 1\n")))
	b.wait("host", isReady("main"))
}

// With steady probes the daemon has nothing to say and nothing to write: its record stays as it is.
func TestSteadyProbesAreSilent(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	b.drop("calm", podOf("calm", probed("main", "exec answerer", "readinessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n")))
	b.wait("calm", isReady("main"))
	b.saw("calm", "GET /healthz", 3)
	version := b.pod("calm").ResourceVersion
	asked := strings.Count(b.seen("calm"), "GET /healthz")
	b.saw("calm", "GET /healthz", asked+3)
	if now := b.pod("calm").ResourceVersion; now != version || now == "" {
		t.Errorf("the pod's version went from %s to %s", version, now)
	}
}

// Everything that is refused is refused with the API server's sentence, and runs nothing.
func TestRefusedProbes(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	for name, tc := range map[string]struct{ part, want string }{
		"noport":  {probed("main", forever, "readinessProbe: {httpGet: {port: web}}"), "port web not found"},
		"twice":   {probed("main", forever, "startupProbe: {exec: {command: [a]}, successThreshold: 2}"), "must be 1"},
		"grace":   {probed("main", forever, "livenessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: -1}"), "must be greater than 0"},
		"nothing": {probed("main", forever, "livenessProbe: {periodSeconds: 1}"), "must specify a handler type"},
	} {
		b.drop(name, podOf(name, tc.part))
		b.must(lab.Poll(limit, func() (bool, error) {
			pod, err := b.Pod(name)
			return err == nil && strings.Contains(pod.Status.Message, tc.want) && len(pod.Status.ContainerStatuses) == 0, err
		}))
	}
	init := indent(probed("first", "true", "livenessProbe: {exec: {command: [a]}}"), 0)
	b.drop("init", podOf("init", "initContainers:\n"+init, containerOf("main", forever)))
	b.must(lab.Poll(limit, func() (bool, error) {
		pod, err := b.Pod("init")
		return err == nil && strings.Contains(pod.Status.Message, "may not be set for init containers without restartPolicy=Always"), err
	}))
}

// Hooks reach their container as probes do: from inside its namespace, at a port's name, with headers.
func TestHooksSpeakAsProbes(t *testing.T) {
	t.Parallel()
	b := newProbedBoard(t)
	b.drop("hooked", podOf("hooked", probed("main", "exec answerer"),
		probed("other", forever, "ports: [{containerPort: 8080, name: web}]",
			"lifecycle:\n  postStart: {httpGet: {path: /started, port: web, httpHeaders: [{name: X-Own, value: mine}]}}\n"+
				"  preStop: {httpGet: {path: /stopping, port: 8080, protocol: HTTP2}}\n",
			"livenessProbe:\n  exec: {command: [test, '!', -e, /sick]}\n  periodSeconds: 1\n  failureThreshold: 1\n")))
	// Until the server listens the hook fails, and its container begins anew.
	b.running("hooked")
	b.saw("hooked", "HTTP/1.1 GET /started Host="+b.pod("hooked").Status.PodIP+":8080 User-Agent=kube-lifecycle/1.37 X-Own=mine", 1)
	b.sh("hooked", "other", "touch /sick")
	b.saw("hooked", "HTTP/2.0 GET /stopping", 1)
}

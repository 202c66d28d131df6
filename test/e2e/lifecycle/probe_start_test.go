package lifecycle

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// The startup probe holds the others back, and readiness with them.
//
// e2e: Probing container :: should *not* be restarted by liveness probe because startup probe delays it
// e2e: Probing container :: should be restarted by liveness probe after startup probe enables it
func TestStartupProbe(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	ill := "livenessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	b.MustDrop("slow", harness.PodOf("slow", harness.Probed("main", harness.Forever, ill,
		"startupProbe:\n  exec: {command: [test, -e, /up]}\n  periodSeconds: 1\n  failureThreshold: 1000\n",
		"readinessProbe:\n  exec: {command: ['true']}\n  periodSeconds: 1\n")))
	b.Happened("slow", "Unhealthy", "Startup probe failed: ", 3)
	status := harness.ContainerStatus(b.MustPod("slow"), "main")
	if status.RestartCount != 0 || status.Ready || status.Started == nil || *status.Started {
		t.Errorf("before it has started up: %+v", status)
	}
	b.Sh("slow", "main", "touch /up")
	b.WaitPod("slow", harness.HasRestarted("main", 1))
	b.Happened("slow", "Killing", "Container main failed liveness probe, will be restarted", 1)
}

// Both probes may fail for good; what a container has to end in is the probe's own grace, and not the pod's.
//
// e2e: Probing container :: should override timeoutGracePeriodSeconds when LivenessProbe field is set
// e2e: Probing container :: should override timeoutGracePeriodSeconds when StartupProbe field is set
func TestProbeGrace(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	const deaf = "trap '' TERM; while :; do sleep 1; done"
	for _, kind := range []string{"liveness", "startup"} {
		probe := kind + "Probe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n  terminationGracePeriodSeconds: 1\n"
		b.MustDrop(kind, strings.Replace(harness.PodOf(kind, harness.Probed("main", deaf, probe)), "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 500\n", 1))
	}
	for _, kind := range []string{"liveness", "startup"} {
		pod := b.WaitPod(kind, harness.HasRestarted("main", 1))
		if last := harness.ContainerStatus(pod, "main").LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
			t.Errorf("%s: the last state is %+v", kind, last)
		}
		b.Happened(kind, "Killing", "Container main failed "+kind+" probe, will be restarted", 1)
	}
}

// What the restart policy makes of a container that its probe has ended, whatever its exit code.
func TestUnhealthyByPolicy(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	ill := "livenessProbe:\n  exec: {command: ['false']}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	b.MustDrop("never", harness.PodOf("never", "restartPolicy: Never", harness.Probed("main", harness.Forever, ill)))
	b.MustDrop("onfailure", harness.PodOf("onfailure", "restartPolicy: OnFailure", harness.Probed("main", harness.Forever, ill)))
	b.WaitPod("onfailure", harness.HasRestarted("main", 1)) // although it ended with 0
	pod := b.WaitPod("never", func(pod *corev1.Pod) string {
		if harness.Ended(pod, "main") == nil {
			return "it has not ended"
		}
		return ""
	})
	if got := harness.ContainerStatus(pod, "main").RestartCount; got != 0 {
		t.Errorf("%d restarts", got)
	}
	event := b.Happened("never", "Killing", "Container main failed liveness probe", 1)
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
	b := harness.NewProbedBoard(t)
	probe := "  exec: {command: [test, '!', -e, /ending]}\n  periodSeconds: 1\n  failureThreshold: 1\n"
	manifest := harness.PodOf("ends", harness.Probed("main", "trap 'touch /ending; sleep 5; exit 0' TERM; while :; do sleep 1000 & wait $!; done",
		"readinessProbe:\n"+probe, "livenessProbe:\n"+probe))
	b.MustDrop("ends", strings.Replace(manifest, "terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 30\n", 1))
	b.WaitPod("ends", harness.IsReady("main"))
	b.MustRemove("ends")
	b.WaitPod("ends", func(pod *corev1.Pod) string {
		if pod.DeletionTimestamp == nil {
			return "it does not end"
		}
		if conditionOf(pod, corev1.PodReady).Status != corev1.ConditionFalse {
			return "it is ready"
		}
		return ""
	})
	b.Gone("ends")
	for _, e := range eventsOf(b, "ends") {
		if e.Reason == "Unhealthy" && strings.HasPrefix(e.Message, "Liveness") {
			t.Errorf("it is asked whether it lives: %s", e.Message)
		}
	}
}

// A daemon that dies takes nothing of what probes have found with it: no container is unready or counts from 0 for it.
func TestProbesSurviveTheDaemon(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t, harness.WithFDStore)
	b.MustDrop("up", harness.PodOf("up",
		harness.Probed("main", "exec answerer", "startupProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n  failureThreshold: 100\n",
			"readinessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n",
			"livenessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n"),
		harness.Probed("counts", harness.Forever, "livenessProbe:\n  exec: {command: ['false']}\n  initialDelaySeconds: 5\n  periodSeconds: 2\n  failureThreshold: 3\n")))
	before := b.WaitPod("up", harness.IsReady("main"))
	b.Happened("up", "Unhealthy", "Liveness probe failed: ", 2)
	asked := strings.Count(b.Seen("up"), "GET /healthz")
	b.MustKill9()
	b.Must(b.Ready(harness.Limit))
	after := b.MustPod("up")
	if a, z := harness.ContainerStatus(before, "main"), harness.ContainerStatus(after, "main"); !z.Ready || !*z.Started || a.ContainerID != z.ContainerID {
		t.Errorf("after the restart: %+v", z)
	}
	b.Saw("up", "GET /healthz", asked+3)
	b.WaitPod("up", harness.HasRestarted("counts", 1))
	for _, e := range eventsOf(b, "up") {
		if e.Reason == "Unhealthy" && strings.HasPrefix(e.Message, "Liveness") && e.Count != 3 {
			t.Errorf("%d failures before the end: %s", e.Count, e.Message)
		}
	}
}

func eventsOf(b *harness.Board, pod string) []corev1.Event {
	b.T.Helper()
	list, err := b.Events()
	b.Must(err)
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
	b := harness.NewProbedBoard(t)
	sidecar := harness.Indent(harness.Probed("side", harness.Forever, "restartPolicy: Always",
		"startupProbe:\n  exec: {command: [test, -e, /up]}\n  periodSeconds: 1\n  failureThreshold: 1000\n",
		"livenessProbe:\n  exec: {command: [test, '!', -e, /sick]}\n  periodSeconds: 1\n  failureThreshold: 1\n"), 0)
	b.MustDrop("pod", harness.PodOf("pod", "initContainers:\n"+sidecar, harness.ContainerOf("main", harness.Forever)))
	b.Happened("pod", "Unhealthy", "Startup probe failed: ", 2)
	if status := harness.ContainerStatus(b.MustPod("pod"), "main"); status.State.Waiting == nil || status.State.Waiting.Reason != "PodInitializing" {
		t.Errorf("the main container: %+v", status)
	}
	b.Sh("pod", "side", "touch /up")
	b.Running("pod")
	b.Sh("pod", "side", "touch /sick")
	pod := b.WaitPod("pod", func(pod *corev1.Pod) string {
		if s := pod.Status.InitContainerStatuses; len(s) == 1 && s[0].RestartCount == 1 {
			return ""
		}
		return "the sidecar was not restarted"
	})
	if status := harness.ContainerStatus(pod, "main"); status.RestartCount != 0 || status.State.Running == nil {
		t.Errorf("the main container: %+v", status)
	}
}

// A pod in the board's network is probed at the board's address.
func TestProbesOnHostNetwork(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("host", harness.PodOf("host", "hostNetwork: true", harness.Probed("main", "exec answerer -port 8097",
		"readinessProbe:\n  httpGet: {path: /healthz, port: 8097}\n  periodSeconds: 1\n")))
	b.WaitPod("host", harness.IsReady("main"))
}

// With steady probes the daemon has nothing to say and nothing to write: its record stays as it is.
func TestSteadyProbesAreSilent(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("calm", harness.PodOf("calm", harness.Probed("main", "exec answerer", "readinessProbe:\n  httpGet: {path: /healthz, port: 8080}\n  periodSeconds: 1\n")))
	b.WaitPod("calm", harness.IsReady("main"))
	b.Saw("calm", "GET /healthz", 3)
	version := b.MustPod("calm").ResourceVersion
	asked := strings.Count(b.Seen("calm"), "GET /healthz")
	b.Saw("calm", "GET /healthz", asked+3)
	if now := b.MustPod("calm").ResourceVersion; now != version || now == "" {
		t.Errorf("the pod's version went from %s to %s", version, now)
	}
}

// Everything that is refused is refused with the API server's sentence, and runs nothing.
func TestRefusedProbes(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	for name, tc := range map[string]struct{ part, want string }{
		"noport":  {harness.Probed("main", harness.Forever, "readinessProbe: {httpGet: {port: web}}"), "port web not found"},
		"twice":   {harness.Probed("main", harness.Forever, "startupProbe: {exec: {command: [a]}, successThreshold: 2}"), "must be 1"},
		"grace":   {harness.Probed("main", harness.Forever, "livenessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: -1}"), "must be greater than 0"},
		"nothing": {harness.Probed("main", harness.Forever, "livenessProbe: {periodSeconds: 1}"), "must specify a handler type"},
	} {
		b.MustDrop(name, harness.PodOf(name, tc.part))
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			pod, err := b.Pod(name)
			return err == nil && strings.Contains(pod.Status.Message, tc.want) && len(pod.Status.ContainerStatuses) == 0, err
		}))
	}
	init := harness.Indent(harness.Probed("first", "true", "livenessProbe: {exec: {command: [a]}}"), 0)
	b.MustDrop("init", harness.PodOf("init", "initContainers:\n"+init, harness.ContainerOf("main", harness.Forever)))
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		pod, err := b.Pod("init")
		return err == nil && strings.Contains(pod.Status.Message, "may not be set for init containers without restartPolicy=Always"), err
	}))
}

// Hooks reach their container as probes do: from inside its namespace, at a port's name, with headers.
func TestHooksSpeakAsProbes(t *testing.T) {
	t.Parallel()
	b := harness.NewProbedBoard(t)
	b.MustDrop("hooked", harness.PodOf("hooked", harness.Probed("main", "exec answerer"),
		harness.Probed("other", harness.Forever, "ports: [{containerPort: 8080, name: web}]",
			"lifecycle:\n  postStart: {httpGet: {path: /started, port: web, httpHeaders: [{name: X-Own, value: mine}]}}\n"+
				"  preStop: {httpGet: {path: /stopping, port: 8080, protocol: HTTP2}}\n",
			"livenessProbe:\n  exec: {command: [test, '!', -e, /sick]}\n  periodSeconds: 1\n  failureThreshold: 1\n")))
	// Until the server listens the hook fails, and its container begins anew.
	b.Running("hooked")
	b.Saw("hooked", "HTTP/1.1 GET /started Host="+b.MustPod("hooked").Status.PodIP+":8080 User-Agent=kube-lifecycle/1.37 X-Own=mine", 1)
	b.Sh("hooked", "other", "touch /sick")
	b.Saw("hooked", "HTTP/2.0 GET /stopping", 1)
}

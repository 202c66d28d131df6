package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// inits is the part of a spec that lists init containers.
func inits(containers ...string) string {
	return "initContainers:\n" + strings.Join(containers, "")
}

// untilFile ends once a file of the pod's shared memory is there; the test says when.
func untilFile(name string) string {
	return "while [ ! -e /dev/shm/" + name + " ]; do sleep 0.05; done"
}

// polite says so when it gets TERM, and ends.
func polite(word string) string {
	return "trap 'echo TERM to " + word + "; exit 0' TERM; echo " + word + " is up; while :; do sleep 0.05; done"
}

func initStatus(pod *corev1.Pod, name string) corev1.ContainerStatus {
	for _, s := range pod.Status.InitContainerStatuses {
		if s.Name == name {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

func conditionOf(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

// end sends TERM to a container's first process; the command that does it may die with it.
func (b *Board) end(pod, container string) {
	b.t.Helper()
	_, _, _ = b.run("exec", pod, "-c", container, "--", "kill", "1")
}

// logDir is the folder of a running pod's logs.
func (b *Board) logDir(name string) string {
	b.t.Helper()
	pod := b.pod(name)
	return filepath.Join(b.Logs, fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID))
}

func (b *Board) readFile(path string) string {
	b.t.Helper()
	data, err := os.ReadFile(path)
	b.must(err)
	return string(data)
}

// Init containers run one after another, each to success, before the others; each state shows.
//
// e2e: InitContainer :: should invoke init containers on a RestartAlways pod
func TestInitContainers(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	states := b.watch(t, "steps")
	b.drop("steps", podOf("steps",
		inits(containerOf("one", "echo first; "+untilFile("one")), containerOf("two", "echo second; "+untilFile("two"))),
		containerOf("main", "echo third; "+forever)))
	states.tells(b, "Init:0/2")
	pod := b.wait("steps", func(pod *corev1.Pod) string {
		if initStatus(pod, "one").State.Running == nil {
			return "one does not run"
		}
		return ""
	})
	if c := conditionOf(pod, corev1.PodInitialized); c.Status != corev1.ConditionFalse || c.Reason != "ContainersNotInitialized" {
		t.Errorf("Initialized is %+v", c)
	}
	if s := containerStatus(pod, "main").State.Waiting; s == nil || s.Reason != "PodInitializing" {
		t.Errorf("main is %+v", containerStatus(pod, "main").State)
	}
	b.sh("steps", "one", "touch /dev/shm/one")
	b.logged("steps", "two", "second")
	b.sh("steps", "two", "touch /dev/shm/two")
	pod = b.running("steps")
	states.tells(b, "Init:0/2", "Init:1/2", "PodInitializing", "Running")
	for _, name := range []string{"one", "two"} {
		if s := initStatus(pod, name); !s.Ready || s.State.Terminated == nil || s.State.Terminated.Reason != "Completed" {
			t.Errorf("%s is %+v", name, s)
		}
	}
	if c := conditionOf(pod, corev1.PodInitialized); c.Status != corev1.ConditionTrue {
		t.Errorf("Initialized is %+v", c)
	}
	// A daemon that comes later does not run them again, and a restart of the main container does not either.
	b.kill9()
	b.start()
	b.end("steps", "main")
	b.wait("steps", hasRestarted("main", 1))
	b.running("steps")
	if got := b.logs("steps", "-c", "one"); got != "first\n" {
		t.Errorf("the first one said %q", got)
	}
}

// A failing init container is retried with back-off under Always, and fails the pod under Never; the main container
// never starts.
//
// e2e: InitContainer :: should not start app containers and fail the pod if init containers fail on a RestartNever pod
// e2e: InitContainer :: should not start app containers if init containers fail on a RestartAlways pod
func TestInitContainerFails(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	states := b.watch(t, "always")
	failing := []string{inits(containerOf("bad", "exit 3"), containerOf("next", "echo never")), containerOf("main", "echo never")}
	b.drop("always", podOf("always", failing...))
	b.drop("never", podOf("never", append([]string{"restartPolicy: Never"}, failing...)...))
	pod := b.wait("never", isPhase(corev1.PodFailed))
	if s := initStatus(pod, "bad"); s.RestartCount != 0 || s.State.Terminated == nil || s.State.Terminated.ExitCode != 3 {
		t.Errorf("the init container is %+v", s)
	}
	if got := b.podd("get", "pod", "never", "--no-headers"); !strings.Contains(got, "Init:Error") {
		t.Errorf("shown as %q", got)
	}
	b.wait("always", func(pod *corev1.Pod) string {
		if s := initStatus(pod, "bad"); s.RestartCount < 1 || s.State.Waiting == nil || s.State.Waiting.Reason != "CrashLoopBackOff" {
			return fmt.Sprintf("the init container is %+v", s.State)
		}
		return isPhase(corev1.PodPending)(pod)
	})
	for _, state := range states.told() {
		if state != "Init:0/2" && state != "Init:Error" && state != "Init:CrashLoopBackOff" {
			t.Errorf("a state was %s", state)
		}
	}
	for _, name := range []string{"next", "main"} {
		pod := b.pod("always")
		s := initStatus(pod, name)
		if name == "main" {
			s = containerStatus(pod, name)
		}
		if s.State.Waiting == nil || s.State.Waiting.Reason != "PodInitializing" {
			t.Errorf("%s is %+v", name, s.State)
		}
	}
}

// A sidecar starts before what follows it, restarts whatever the policy, and does not hold up the end.
//
// e2e: <expr> :: should restart a sidecar and run to completion [FeatureGate:SidecarContainers]
func TestSidecar(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("job", podOf("job", "restartPolicy: Never",
		inits(containerOf("side", polite("side"), "restartPolicy: Always"), containerOf("init", "echo init; "+untilFile("init"))),
		containerOf("main", "echo main; "+untilFile("main"))))
	b.logged("job", "init", "init")
	b.end("job", "side")
	b.wait("job", func(pod *corev1.Pod) string {
		if s := initStatus(pod, "side"); s.RestartCount != 1 || s.State.Running == nil || !s.Ready {
			return fmt.Sprintf("the sidecar is %+v", s)
		}
		return ""
	})
	b.sh("job", "init", "touch /dev/shm/init")
	b.logged("job", "main", "main")
	b.sh("job", "main", "touch /dev/shm/main")
	pod := b.wait("job", isPhase(corev1.PodSucceeded))
	if s := initStatus(pod, "side").State.Terminated; s == nil || s.ExitCode != 0 {
		t.Errorf("the sidecar is %+v", initStatus(pod, "side").State)
	}
	b.logged("job", "side", "TERM to side")
}

// The end of a pod: every preStop hook at once, main containers before sidecars, sidecars in reverse order.
//
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute prestop exec hook properly
func TestOrderOfTheEnd(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	hook := "lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; sleep 0.5']"
	manifest := podOf("order",
		inits(containerOf("a", polite("a"), "restartPolicy: Always", hook), containerOf("b", polite("b"), "restartPolicy: Always")),
		containerOf("main", strings.Replace(polite("main"), "exit 0", "sleep 0.5; exit 0", 1), hook))
	b.drop("order", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.running("order")
	for _, name := range []string{"a", "b", "main"} {
		b.logged("order", name, name+" is up")
	}
	dir := b.logDir("order")
	b.remove("order")
	b.gone("order")
	at := map[string]time.Time{}
	for _, name := range []string{"a", "b", "main"} {
		for line := range strings.Lines(b.readFile(dir + "/" + name + "/0.log")) {
			stamp, text, _ := strings.Cut(line, " ")
			_, text, _ = strings.Cut(text, " F ")
			when, err := time.Parse(time.RFC3339Nano, stamp)
			b.must(err)
			at[name+" "+strings.TrimSpace(text)] = when
		}
	}
	order := []string{"a hook", "main TERM to main", "b TERM to b", "a TERM to a"}
	for i, event := range order {
		if at[event].IsZero() {
			t.Fatalf("%q never was: %v", event, at)
		}
		if i > 0 && !at[event].After(at[order[i-1]]) {
			t.Errorf("%q came before %q: %v", event, order[i-1], at)
		}
	}
	if !at["main hook"].Before(at["main TERM to main"]) || at["a hook"].Sub(at["main hook"]).Abs() > 400*time.Millisecond {
		t.Errorf("the hooks did not run first and at once: %v", at)
	}
}

// A postStart hook comes before readiness and before the next container, and its failure ends the container.
//
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute poststart exec hook properly
func TestPostStart(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	hook := func(script string) string {
		return "lifecycle:\n  postStart:\n    exec:\n      command: [sh, -c, '" + script + "']"
	}
	b.drop("good", podOf("good", containerOf("main", forever, hook("echo hooked >/proc/1/fd/1; "+untilFile("go"))), containerOf("next", "echo next; "+forever)))
	b.wait("good", func(*corev1.Pod) string { return "" })
	log := b.logDir("good") + "/main/0.log" // the API, like Kubernetes', gives no log before the hook is done
	hooked := func(times int) {
		t.Helper()
		b.must(lab.Poll(limit, func() (bool, error) {
			data, err := os.ReadFile(log)
			return err == nil && strings.Count(string(data), "hooked") == times, fmt.Errorf("the hook was not run %d times: %s, %w", times, data, err)
		}))
	}
	hooked(1)
	pod := b.pod("good")
	if s := containerStatus(pod, "main"); s.Ready || s.State.Waiting == nil || s.State.Waiting.Reason != "ContainerCreating" {
		t.Errorf("main is %+v while its hook runs", s)
	}
	// The hook's process has lost its daemon; it is delivered again.
	b.kill9()
	b.start()
	hooked(2)
	if s := containerStatus(b.pod("good"), "next"); s.State.Waiting == nil {
		t.Errorf("next is %+v before the hook is done", s.State)
	}
	b.sh("good", "main", "touch /dev/shm/go")
	b.running("good")

	b.drop("bad", podOf("bad", containerOf("main", forever, hook("echo no luck; exit 4"))))
	b.event("PostStartHook failed: command [\"sh\" \"-c\" \"echo no luck; exit 4\"] exited with 4: no luck")
	b.wait("bad", hasRestarted("main", 1))
}

// Hooks that sleep: within the grace, cut short by it, and over when the container has ended by itself.
//
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: valid prestop hook using sleep action
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: reduce GracePeriodSeconds during runtime
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: ignore terminated container
// e2e: Lifecycle sleep action zero value :: when create a pod with lifecycle hook using sleep action with a duration of zero seconds :: prestop hook using sleep action with zero duration
func TestSleepHooks(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	sleeping := func(name, script string, seconds int) string {
		return replaceGrace(podOf(name, containerOf("main", script, fmt.Sprintf("lifecycle: {preStop: {sleep: {seconds: %d}}}", seconds))), "terminationGracePeriodSeconds: 600")
	}
	b.drop("naps", sleeping("naps", forever, 2))
	b.drop("zero", sleeping("zero", forever, 0))
	b.drop("long", sleeping("long", forever, 500))
	b.drop("ends", sleeping("ends", untilFile("end"), 500))
	for _, name := range []string{"naps", "zero", "long", "ends"} {
		b.running(name)
		b.remove(name)
	}
	began := time.Now()
	b.gone("zero")
	b.sh("ends", "main", "touch /dev/shm/end")
	b.gone("ends")
	b.podd("delete", "pod", "long", "--grace-period", "2")
	b.gone("long")
	b.gone("naps")
	// Not a measurement: an end before its hook is done would be wrong at any speed of the machine.
	if took := time.Since(began); took < time.Second {
		t.Errorf("a hook of two seconds was over after %s", took)
	}
}

// A hook that hangs and a container that ignores every signal cost their grace and two seconds, no more, and no
// hook runs without grace.
func TestHookThatHangs(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	manifest := podOf("stuck", containerOf("main", "trap 'echo got TERM' TERM; echo up; while :; do sleep 0.05; done",
		"lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; sleep 1000']"))
	b.drop("stuck", manifest)
	b.logged("stuck", "main", "up")
	dir := b.logDir("stuck")
	b.remove("stuck")
	b.gone("stuck")
	if log := b.readFile(dir + "/main/0.log"); !strings.Contains(log, "F hook") || !strings.Contains(log, "got TERM") {
		t.Errorf("it got no hook or no TERM:\n%s", log)
	}
	b.drop("stuck", manifest+"\n# again\n")
	b.running("stuck")
	b.podd("delete", "pod", "stuck", "--grace-period", "0", "--force")
	b.wait("stuck", func(pod *corev1.Pod) string {
		if log := b.readFile(dir + "/main/1.log"); strings.Contains(log, "F hook") {
			return "a hook ran without grace: " + log
		}
		return ""
	})
}

// A pod that is active for longer than its deadline fails, and stays failed over a reboot.
//
// e2e: Pods :: should allow activeDeadlineSeconds to be updated
func TestActiveDeadline(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("late", podOf("late", "activeDeadlineSeconds: 2", containerOf("main", forever)))
	b.running("late")
	for _, when := range []string{"at once", "after a reboot"} {
		pod := b.wait("late", isPhase(corev1.PodFailed))
		if pod.Status.Reason != "DeadlineExceeded" || pod.Status.Message == "" {
			t.Errorf("%s: %s: %s", when, pod.Status.Reason, pod.Status.Message)
		}
		if s := containerStatus(pod, "main").State.Terminated; s == nil {
			t.Errorf("%s main is %+v", when, containerStatus(pod, "main").State)
		}
		b.reboot()
		b.start()
	}
}

// Containers' own policies and rules for exit codes.
//
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on rule match [FeatureGate:ContainerRestartRules]
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on container-level restart policy Always [FeatureGate:ContainerRestartRules]
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on container-level restart policy Never [FeatureGate:ContainerRestartRules]
func TestOwnRestartPolicies(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rule := func(code int) string {
		return fmt.Sprintf("restartPolicy: Never\nrestartPolicyRules:\n- action: Restart\n  exitCodes: {operator: In, values: [%d]}", code)
	}
	b.drop("own", podOf("own", "restartPolicy: Never", containerOf("rule", "exit 42", rule(42)), containerOf("other", "exit 41", rule(42)), containerOf("always", "exit 0", "restartPolicy: Always")))
	pod := b.wait("own", func(pod *corev1.Pod) string {
		if missing := hasRestarted("rule", 1)(pod); missing != "" {
			return missing
		}
		return hasRestarted("always", 1)(pod)
	})
	if s := containerStatus(pod, "other"); s.RestartCount != 0 || s.State.Terminated == nil {
		t.Errorf("other is %+v", s)
	}
}

// RestartAllContainers begins the pod anew in its sandbox: same address and UID, init containers run again.
//
// e2e: Pod Extended (RestartAllContainers) :: RestartAllContainers :: should restart all containers in the pod
func TestRestartAllContainers(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	rules := "restartPolicy: Never\nrestartPolicyRules:\n- action: RestartAllContainers\n  exitCodes: {operator: In, values: [88]}"
	b.drop("all", podOf("all", "restartPolicy: Never",
		inits(containerOf("init", "echo init"), containerOf("side", polite("side"), "restartPolicy: Always")),
		containerOf("main", untilFile("go")+"; rm /dev/shm/go; exit 88", rules), containerOf("other", forever)))
	before := b.running("all")
	b.sh("all", "other", "touch /dev/shm/go")
	after := b.wait("all", func(pod *corev1.Pod) string {
		for _, name := range []string{"main", "other"} {
			if missing := hasRestarted(name, 1)(pod); missing != "" {
				return missing
			}
		}
		if initStatus(pod, "init").RestartCount != 1 || initStatus(pod, "side").RestartCount != 1 {
			return "the init containers have not been run again"
		}
		return isRunning(pod)
	})
	if after.UID != before.UID || after.Status.PodIP != before.Status.PodIP {
		t.Errorf("UID %s and IP %s became %s and %s", before.UID, before.Status.PodIP, after.UID, after.Status.PodIP)
	}
	if after.Status.Phase != corev1.PodRunning {
		t.Errorf("phase is %s", after.Status.Phase)
	}
}

// The lifecycle's own stop signal wins over the image's. KEP-4960
//
// e2e: <expr> :: when create a pod with a StopSignal lifecycle :: StopSignal defined with pod.OS [FeatureGate:ContainerStopSignals]
func TestStopSignalOfTheLifecycle(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	manifest := podOf("hup", "os: {name: linux}", containerOf("main", "trap 'exit 0' HUP; trap '' TERM; echo up; while :; do sleep 0.05; done", "lifecycle: {stopSignal: SIGHUP}"))
	b.drop("hup", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.logged("hup", "main", "up")
	if s := containerStatus(b.pod("hup"), "main").StopSignal; s == nil || *s != corev1.SIGHUP {
		t.Errorf("the status has stop signal %v", s)
	}
	b.remove("hup")
	b.gone("hup")
}

// A readiness gate keeps a pod from being ready until somebody sets its condition through the API.
//
// e2e: Pods :: should support pod readiness gates
func TestReadinessGates(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("gated", podOf("gated", "readinessGates: [{conditionType: podd.test/one}]", containerOf("main", forever)))
	gate := func(status, want corev1.ConditionStatus, reason string) {
		t.Helper()
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"podd.test/one","status":%q}]}}`, status)
		code, body := b.patch("/api/v1/namespaces/default/pods/gated/status", patch)
		if code != http.StatusOK {
			t.Fatalf("%d: %s", code, body)
		}
		b.wait("gated", func(pod *corev1.Pod) string {
			if c := conditionOf(pod, corev1.PodReady); c.Status != want || c.Reason != reason {
				return fmt.Sprintf("Ready is %s: %s %s", c.Status, c.Reason, c.Message)
			}
			return ""
		})
	}
	pod := b.wait("gated", func(pod *corev1.Pod) string {
		if conditionOf(pod, corev1.ContainersReady).Status != corev1.ConditionTrue {
			return "its container is not ready"
		}
		return ""
	})
	if c := conditionOf(pod, corev1.PodReady); c.Reason != "ReadinessGatesNotReady" || c.Message != `corresponding condition of pod readiness gate "podd.test/one" does not exist.` {
		t.Errorf("Ready is %+v", c)
	}
	gate("True", corev1.ConditionTrue, "")
	b.kill9()
	b.start()
	if c := conditionOf(b.running("gated"), corev1.PodReady); c.Status != corev1.ConditionTrue {
		t.Errorf("after a crash Ready is %+v", c)
	}
	gate("False", corev1.ConditionFalse, "ReadinessGatesNotReady")
	for patch, want := range map[string]string{
		`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`: "condition Ready is podd's to say",
		`{"status":{"phase":"Failed"}}`:                                "status.phase is podd's to say",
		`{"spec":{"hostNetwork":true}}`:                                "a pod changes with its file",
		`{`:                                                            "cannot read the patch",
	} {
		if code, body := b.patch("/api/v1/namespaces/default/pods/gated/status", patch); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d: %s", patch, code, body)
		}
	}
}

// patch sends a merge patch to the daemon's socket.
func (b *Board) patch(path, body string) (code int, answer string) {
	b.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", b.Socket)
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodPatch, "http://podd"+path, strings.NewReader(body))
	b.must(err)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := client.Do(request)
	b.must(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	b.must(err)
	return response.StatusCode, string(data)
}

// Each container keeps the logs of its last two runs.
func TestLogsOfTheLastTwoRuns(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("runs", onePod("runs", "echo run; "+forever))
	b.running("runs")
	for restarts := int32(1); restarts <= 3; restarts++ {
		b.waitFor(2*limit, "runs", func(pod *corev1.Pod) string {
			if containerStatus(pod, "main").State.Running == nil {
				return "it does not run"
			}
			if containerStatus(pod, "main").RestartCount < restarts {
				b.end("runs", "main")
			}
			return hasRestarted("main", restarts)(pod)
		})
	}
	entries, err := os.ReadDir(filepath.Join(b.logDir("runs"), "main"))
	b.must(err)
	last := int(containerStatus(b.pod("runs"), "main").RestartCount)
	for _, e := range entries {
		if e.Name() != fmt.Sprintf("%d.log", last) && e.Name() != fmt.Sprintf("%d.log", last-1) {
			t.Errorf("%s is still there after %d restarts", e.Name(), last)
		}
	}
	if got := b.logs("runs", "--previous"); got != "run\n" {
		t.Errorf("the run before said %q", got)
	}
}

// Hooks over HTTP and TCP reach the pod itself, or another that serves for it.
//
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute prestop http hook properly
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute poststart http hook properly
func TestNetworkHooks(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("server", podOf("server", containerOf("main", "exec httpd -f -vv -p 8080")))
	server := b.running("server")
	get(b, "http://"+server.Status.PodIP+":8080/")
	hooks := fmt.Sprintf("lifecycle:\n  postStart: {httpGet: {host: %s, port: 8080, path: /began}}\n  preStop: {httpGet: {host: %s, port: 8080, path: /ends}}", server.Status.PodIP, server.Status.PodIP)
	b.drop("client", podOf("client", containerOf("main", forever, hooks)))
	b.running("client")
	b.logged("server", "main", "url:/began")
	b.remove("client")
	b.gone("client")
	b.logged("server", "main", "url:/ends")

	b.drop("tcp", podOf("tcp", containerOf("main", forever, fmt.Sprintf("lifecycle: {postStart: {tcpSocket: {host: %s, port: 8080}}}", server.Status.PodIP))))
	b.running("tcp")
	b.drop("refused", podOf("refused", containerOf("main", forever, "lifecycle: {postStart: {tcpSocket: {port: 9}}}")))
	b.event("PostStartHook failed: dial tcp")
	b.drop("self", replaceGrace(podOf("self", containerOf("main", "exec httpd -f -vv -p 8080", "ports: [{name: web, containerPort: 8080}]\nlifecycle: {preStop: {httpGet: {port: web, path: /self}}}")), "terminationGracePeriodSeconds: 5"))
	get(b, "http://"+b.running("self").Status.PodIP+":8080/")
	log := b.logDir("self") + "/main/0.log"
	b.remove("self")
	b.gone("self")
	b.said(log, "url:/self", 1)
}

package lifecycle

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
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
func end(b *harness.Board, pod, container string) {
	b.T.Helper()
	_, _, _ = b.RunCLI("exec", pod, "-c", container, "--", "kill", "1")
}

// logDir is the folder of a running pod's logs.
func logDir(b *harness.Board, name string) string {
	b.T.Helper()
	pod := b.MustPod(name)
	return filepath.Join(b.Logs, fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID))
}

// Init containers run one after another, each to success, before the others; each state shows.
//
// e2e: InitContainer :: should invoke init containers on a RestartAlways pod
func TestInitContainers(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	states := b.Watch(t, "steps")
	b.MustDrop("steps", harness.PodOf("steps",
		inits(harness.ContainerOf("one", "echo first; "+untilFile("one")), harness.ContainerOf("two", "echo second; "+untilFile("two"))),
		harness.ContainerOf("main", "echo third; "+harness.Forever)))
	states.Tells(b, "Init:0/2")
	pod := b.WaitPod("steps", func(pod *corev1.Pod) string {
		if initStatus(pod, "one").State.Running == nil {
			return "one does not run"
		}
		return ""
	})
	if c := conditionOf(pod, corev1.PodInitialized); c.Status != corev1.ConditionFalse || c.Reason != "ContainersNotInitialized" {
		t.Errorf("Initialized is %+v", c)
	}
	if s := harness.ContainerStatus(pod, "main").State.Waiting; s == nil || s.Reason != "PodInitializing" {
		t.Errorf("main is %+v", harness.ContainerStatus(pod, "main").State)
	}
	b.Sh("steps", "one", "touch /dev/shm/one")
	b.Logged("steps", "two", "second")
	b.Sh("steps", "two", "touch /dev/shm/two")
	pod = b.Running("steps")
	states.Tells(b, "Init:0/2", "Init:1/2", "PodInitializing", "Running")
	for _, name := range []string{"one", "two"} {
		if s := initStatus(pod, name); !s.Ready || s.State.Terminated == nil || s.State.Terminated.Reason != "Completed" {
			t.Errorf("%s is %+v", name, s)
		}
	}
	if c := conditionOf(pod, corev1.PodInitialized); c.Status != corev1.ConditionTrue {
		t.Errorf("Initialized is %+v", c)
	}
	// A daemon that comes later does not run them again, and a restart of the main container does not either.
	b.MustKill9()
	b.MustStart()
	end(b, "steps", "main")
	b.WaitPod("steps", harness.HasRestarted("main", 1))
	b.Running("steps")
	if got := b.LogsOf("steps", "-c", "one"); got != "first\n" {
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
	b := harness.NewBoard(t)
	states := b.Watch(t, "always")
	failing := []string{inits(harness.ContainerOf("bad", "exit 3"), harness.ContainerOf("next", "echo never")), harness.ContainerOf("main", "echo never")}
	b.MustDrop("always", harness.PodOf("always", failing...))
	b.MustDrop("never", harness.PodOf("never", append([]string{"restartPolicy: Never"}, failing...)...))
	pod := b.WaitPod("never", harness.IsPhase(corev1.PodFailed))
	if s := initStatus(pod, "bad"); s.RestartCount != 0 || s.State.Terminated == nil || s.State.Terminated.ExitCode != 3 {
		t.Errorf("the init container is %+v", s)
	}
	if got := b.CLI("get", "pod", "never", "--no-headers"); !strings.Contains(got, "Init:Error") {
		t.Errorf("shown as %q", got)
	}
	b.WaitPod("always", func(pod *corev1.Pod) string {
		if s := initStatus(pod, "bad"); s.RestartCount < 1 || s.State.Waiting == nil || s.State.Waiting.Reason != "CrashLoopBackOff" {
			return fmt.Sprintf("the init container is %+v", s.State)
		}
		return harness.IsPhase(corev1.PodPending)(pod)
	})
	for _, state := range states.Told() {
		if state != "Init:0/2" && state != "Init:Error" && state != "Init:CrashLoopBackOff" {
			t.Errorf("a state was %s", state)
		}
	}
	for _, name := range []string{"next", "main"} {
		pod := b.MustPod("always")
		s := initStatus(pod, name)
		if name == "main" {
			s = harness.ContainerStatus(pod, name)
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
	b := harness.NewBoard(t)
	b.MustDrop("job", harness.PodOf("job", "restartPolicy: Never",
		inits(harness.ContainerOf("side", polite("side"), "restartPolicy: Always"), harness.ContainerOf("init", "echo init; "+untilFile("init"))),
		harness.ContainerOf("main", "echo main; "+untilFile("main"))))
	b.Logged("job", "init", "init")
	end(b, "job", "side")
	b.WaitPod("job", func(pod *corev1.Pod) string {
		if s := initStatus(pod, "side"); s.RestartCount != 1 || s.State.Running == nil || !s.Ready {
			return fmt.Sprintf("the sidecar is %+v", s)
		}
		return ""
	})
	b.Sh("job", "init", "touch /dev/shm/init")
	b.Logged("job", "main", "main")
	b.Sh("job", "main", "touch /dev/shm/main")
	pod := b.WaitPod("job", harness.IsPhase(corev1.PodSucceeded))
	if s := initStatus(pod, "side").State.Terminated; s == nil || s.ExitCode != 0 {
		t.Errorf("the sidecar is %+v", initStatus(pod, "side").State)
	}
	b.Logged("job", "side", "TERM to side")
}

// The end of a pod: every preStop hook at once, main containers before sidecars, sidecars in reverse order.
//
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute prestop exec hook properly
func TestOrderOfTheEnd(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	hook := "lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; sleep 0.5']"
	manifest := harness.PodOf("order",
		inits(harness.ContainerOf("a", polite("a"), "restartPolicy: Always", hook), harness.ContainerOf("b", polite("b"), "restartPolicy: Always")),
		harness.ContainerOf("main", strings.Replace(polite("main"), "exit 0", "sleep 0.5; exit 0", 1), hook))
	b.MustDrop("order", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.Running("order")
	for _, name := range []string{"a", "b", "main"} {
		b.Logged("order", name, name+" is up")
	}
	dir := logDir(b, "order")
	b.MustRemove("order")
	b.Gone("order")
	at := map[string]time.Time{}
	for _, name := range []string{"a", "b", "main"} {
		for line := range strings.Lines(b.ReadFile(dir + "/" + name + "/0.log")) {
			stamp, text, _ := strings.Cut(line, " ")
			_, text, _ = strings.Cut(text, " F ")
			when, err := time.Parse(time.RFC3339Nano, stamp)
			b.Must(err)
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
	b := harness.NewBoard(t)
	hook := func(script string) string {
		return "lifecycle:\n  postStart:\n    exec:\n      command: [sh, -c, '" + script + "']"
	}
	b.MustDrop("good", harness.PodOf("good", harness.ContainerOf("main", harness.Forever, hook("echo hooked >/proc/1/fd/1; "+untilFile("go"))), harness.ContainerOf("next", "echo next; "+harness.Forever)))
	b.WaitPod("good", func(*corev1.Pod) string { return "" })
	log := logDir(b, "good") + "/main/0.log" // the API, like Kubernetes', gives no log before the hook is done
	hooked := func(times int) {
		t.Helper()
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			data, err := os.ReadFile(log)
			return err == nil && strings.Count(string(data), "hooked") == times, fmt.Errorf("the hook was not run %d times: %s, %w", times, data, err)
		}))
	}
	hooked(1)
	pod := b.MustPod("good")
	if s := harness.ContainerStatus(pod, "main"); s.Ready || s.State.Waiting == nil || s.State.Waiting.Reason != "ContainerCreating" {
		t.Errorf("main is %+v while its hook runs", s)
	}
	// The hook's process has lost its daemon; it is delivered again.
	b.MustKill9()
	b.MustStart()
	hooked(2)
	if s := harness.ContainerStatus(b.MustPod("good"), "next"); s.State.Waiting == nil {
		t.Errorf("next is %+v before the hook is done", s.State)
	}
	b.Sh("good", "main", "touch /dev/shm/go")
	b.Running("good")

	b.MustDrop("bad", harness.PodOf("bad", harness.ContainerOf("main", harness.Forever, hook("echo no luck; exit 4"))))
	b.Event("PostStartHook failed: command [\"sh\" \"-c\" \"echo no luck; exit 4\"] exited with 4: no luck")
	b.WaitPod("bad", harness.HasRestarted("main", 1))
}

// Hooks that sleep: within the grace, cut short by it, and over when the container has ended by itself.
//
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: valid prestop hook using sleep action
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: reduce GracePeriodSeconds during runtime
// e2e: Lifecycle Sleep Hook :: when create a pod with lifecycle hook using sleep action :: ignore terminated container
// e2e: Lifecycle sleep action zero value :: when create a pod with lifecycle hook using sleep action with a duration of zero seconds :: prestop hook using sleep action with zero duration
func TestSleepHooks(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	sleeping := func(name, script string, seconds int) string {
		return replaceGrace(harness.PodOf(name, harness.ContainerOf("main", script, fmt.Sprintf("lifecycle: {preStop: {sleep: {seconds: %d}}}", seconds))), "terminationGracePeriodSeconds: 600")
	}
	b.MustDrop("naps", sleeping("naps", harness.Forever, 2))
	b.MustDrop("zero", sleeping("zero", harness.Forever, 0))
	b.MustDrop("long", sleeping("long", harness.Forever, 500))
	b.MustDrop("ends", sleeping("ends", untilFile("end"), 500))
	for _, name := range []string{"naps", "zero", "long", "ends"} {
		b.Running(name)
		b.MustRemove(name)
	}
	began := time.Now()
	b.Gone("zero")
	b.Sh("ends", "main", "touch /dev/shm/end")
	b.Gone("ends")
	b.CLI("delete", "pod", "long", "--grace-period", "2")
	b.Gone("long")
	b.Gone("naps")
	// Not a measurement: an end before its hook is done would be wrong at any speed of the machine.
	if took := time.Since(began); took < time.Second {
		t.Errorf("a hook of two seconds was over after %s", took)
	}
}

// A hook that hangs and a container that ignores every signal cost their grace and two seconds, no more, and no
// hook runs without grace.
func TestHookThatHangs(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	manifest := harness.PodOf("stuck", harness.ContainerOf("main", "trap 'echo got TERM' TERM; echo up; while :; do sleep 0.05; done",
		"lifecycle:\n  preStop:\n    exec:\n      command: [sh, -c, 'echo hook >/proc/1/fd/1; sleep 1000']"))
	b.MustDrop("stuck", manifest)
	b.Logged("stuck", "main", "up")
	dir := logDir(b, "stuck")
	b.MustRemove("stuck")
	b.Gone("stuck")
	if log := b.ReadFile(dir + "/main/0.log"); !strings.Contains(log, "F hook") || !strings.Contains(log, "got TERM") {
		t.Errorf("it got no hook or no TERM:\n%s", log)
	}
	b.MustDrop("stuck", manifest+"\n# again\n")
	b.Running("stuck")
	b.CLI("delete", "pod", "stuck", "--grace-period", "0", "--force")
	b.WaitPod("stuck", func(pod *corev1.Pod) string {
		if log := b.ReadFile(dir + "/main/1.log"); strings.Contains(log, "F hook") {
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
	b := harness.NewBoard(t)
	b.MustDrop("late", harness.PodOf("late", "activeDeadlineSeconds: 2", harness.ContainerOf("main", harness.Forever)))
	b.Running("late")
	for _, when := range []string{"at once", "after a reboot"} {
		pod := b.WaitPod("late", harness.IsPhase(corev1.PodFailed))
		if pod.Status.Reason != "DeadlineExceeded" || pod.Status.Message == "" {
			t.Errorf("%s: %s: %s", when, pod.Status.Reason, pod.Status.Message)
		}
		if s := harness.ContainerStatus(pod, "main").State.Terminated; s == nil {
			t.Errorf("%s main is %+v", when, harness.ContainerStatus(pod, "main").State)
		}
		b.MustReboot()
		b.MustStart()
	}
}

// Containers' own policies and rules for exit codes.
//
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on rule match [FeatureGate:ContainerRestartRules]
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on container-level restart policy Always [FeatureGate:ContainerRestartRules]
// e2e: Pod Extended (container restart policy) :: Container Restart Rules :: should restart container on container-level restart policy Never [FeatureGate:ContainerRestartRules]
func TestOwnRestartPolicies(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	rule := func(code int) string {
		return fmt.Sprintf("restartPolicy: Never\nrestartPolicyRules:\n- action: Restart\n  exitCodes: {operator: In, values: [%d]}", code)
	}
	b.MustDrop("own", harness.PodOf("own", "restartPolicy: Never", harness.ContainerOf("rule", "exit 42", rule(42)), harness.ContainerOf("other", "exit 41", rule(42)), harness.ContainerOf("always", "exit 0", "restartPolicy: Always")))
	pod := b.WaitPod("own", func(pod *corev1.Pod) string {
		if missing := harness.HasRestarted("rule", 1)(pod); missing != "" {
			return missing
		}
		return harness.HasRestarted("always", 1)(pod)
	})
	if s := harness.ContainerStatus(pod, "other"); s.RestartCount != 0 || s.State.Terminated == nil {
		t.Errorf("other is %+v", s)
	}
}

// RestartAllContainers begins the pod anew in its sandbox: same address and UID, init containers run again.
//
// e2e: Pod Extended (RestartAllContainers) :: RestartAllContainers :: should restart all containers in the pod
func TestRestartAllContainers(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	rules := "restartPolicy: Never\nrestartPolicyRules:\n- action: RestartAllContainers\n  exitCodes: {operator: In, values: [88]}"
	b.MustDrop("all", harness.PodOf("all", "restartPolicy: Never",
		inits(harness.ContainerOf("init", "echo init"), harness.ContainerOf("side", polite("side"), "restartPolicy: Always")),
		harness.ContainerOf("main", untilFile("go")+"; rm /dev/shm/go; exit 88", rules), harness.ContainerOf("other", harness.Forever)))
	before := b.Running("all")
	b.Sh("all", "other", "touch /dev/shm/go")
	after := b.WaitPod("all", func(pod *corev1.Pod) string {
		for _, name := range []string{"main", "other"} {
			if missing := harness.HasRestarted(name, 1)(pod); missing != "" {
				return missing
			}
		}
		if initStatus(pod, "init").RestartCount != 1 || initStatus(pod, "side").RestartCount != 1 {
			return "the init containers have not been run again"
		}
		return harness.IsRunning(pod)
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
	b := harness.NewBoard(t)
	manifest := harness.PodOf("hup", "os: {name: linux}", harness.ContainerOf("main", "trap 'exit 0' HUP; trap '' TERM; echo up; while :; do sleep 0.05; done", "lifecycle: {stopSignal: SIGHUP}"))
	b.MustDrop("hup", replaceGrace(manifest, "terminationGracePeriodSeconds: 600"))
	b.Logged("hup", "main", "up")
	if s := harness.ContainerStatus(b.MustPod("hup"), "main").StopSignal; s == nil || *s != corev1.SIGHUP {
		t.Errorf("the status has stop signal %v", s)
	}
	b.MustRemove("hup")
	b.Gone("hup")
}

// A readiness gate keeps a pod from being ready until somebody sets its condition through the API.
//
// e2e: Pods :: should support pod readiness gates
func TestReadinessGates(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("gated", harness.PodOf("gated", "readinessGates: [{conditionType: podd.test/one}]", harness.ContainerOf("main", harness.Forever)))
	gate := func(status, want corev1.ConditionStatus, reason string) {
		t.Helper()
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"podd.test/one","status":%q}]}}`, status)
		code, body := sendPatch(b, "/api/v1/namespaces/default/pods/gated/status", patch)
		if code != http.StatusOK {
			t.Fatalf("%d: %s", code, body)
		}
		b.WaitPod("gated", func(pod *corev1.Pod) string {
			if c := conditionOf(pod, corev1.PodReady); c.Status != want || c.Reason != reason {
				return fmt.Sprintf("Ready is %s: %s %s", c.Status, c.Reason, c.Message)
			}
			return ""
		})
	}
	pod := b.WaitPod("gated", func(pod *corev1.Pod) string {
		if conditionOf(pod, corev1.ContainersReady).Status != corev1.ConditionTrue {
			return "its container is not ready"
		}
		return ""
	})
	if c := conditionOf(pod, corev1.PodReady); c.Reason != "ReadinessGatesNotReady" || c.Message != `corresponding condition of pod readiness gate "podd.test/one" does not exist.` {
		t.Errorf("Ready is %+v", c)
	}
	gate("True", corev1.ConditionTrue, "")
	b.MustKill9()
	b.MustStart()
	if c := conditionOf(b.Running("gated"), corev1.PodReady); c.Status != corev1.ConditionTrue {
		t.Errorf("after a crash Ready is %+v", c)
	}
	gate("False", corev1.ConditionFalse, "ReadinessGatesNotReady")
	for patch, want := range map[string]string{
		`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`: "condition Ready is podd's to say",
		`{"status":{"phase":"Failed"}}`:                                "status.phase is podd's to say",
		`{"spec":{"hostNetwork":true}}`:                                "a pod changes with its file",
		`{`:                                                            "cannot read the patch",
	} {
		if code, body := sendPatch(b, "/api/v1/namespaces/default/pods/gated/status", patch); code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d: %s", patch, code, body)
		}
	}
}

// sendPatch sends a merge patch to the daemon's socket.
func sendPatch(b *harness.Board, path, body string) (code int, answer string) {
	b.T.Helper()
	return b.Request(http.MethodPatch, path, "application/merge-patch+json", body)
}

// Each container keeps the logs of its last two runs.
func TestLogsOfTheLastTwoRuns(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("runs", harness.OnePod("runs", "echo run; "+harness.Forever))
	b.Running("runs")
	for restarts := int32(1); restarts <= 3; restarts++ {
		b.WaitFor(2*harness.Limit, "runs", func(pod *corev1.Pod) string {
			if harness.ContainerStatus(pod, "main").State.Running == nil {
				return "it does not run"
			}
			if harness.ContainerStatus(pod, "main").RestartCount < restarts {
				end(b, "runs", "main")
			}
			return harness.HasRestarted("main", restarts)(pod)
		})
	}
	entries, err := os.ReadDir(filepath.Join(logDir(b, "runs"), "main"))
	b.Must(err)
	last := int(harness.ContainerStatus(b.MustPod("runs"), "main").RestartCount)
	for _, e := range entries {
		if e.Name() != fmt.Sprintf("%d.log", last) && e.Name() != fmt.Sprintf("%d.log", last-1) {
			t.Errorf("%s is still there after %d restarts", e.Name(), last)
		}
	}
	if got := b.LogsOf("runs", "--previous"); got != "run\n" {
		t.Errorf("the run before said %q", got)
	}
}

// Hooks over HTTP and TCP reach the pod itself, or another that serves for it.
//
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute prestop http hook properly
// e2e: Container Lifecycle Hook :: when create a pod with lifecycle hook :: should execute poststart http hook properly
func TestNetworkHooks(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("server", harness.PodOf("server", harness.ContainerOf("main", "exec httpd -f -vv -p 8080")))
	server := b.Running("server")
	harness.Get(b, "http://"+server.Status.PodIP+":8080/")
	hooks := fmt.Sprintf("lifecycle:\n  postStart: {httpGet: {host: %s, port: 8080, path: /began}}\n  preStop: {httpGet: {host: %s, port: 8080, path: /ends}}", server.Status.PodIP, server.Status.PodIP)
	b.MustDrop("client", harness.PodOf("client", harness.ContainerOf("main", harness.Forever, hooks)))
	b.Running("client")
	b.Logged("server", "main", "url:/began")
	b.MustRemove("client")
	b.Gone("client")
	b.Logged("server", "main", "url:/ends")

	b.MustDrop("tcp", harness.PodOf("tcp", harness.ContainerOf("main", harness.Forever, fmt.Sprintf("lifecycle: {postStart: {tcpSocket: {host: %s, port: 8080}}}", server.Status.PodIP))))
	b.Running("tcp")
	b.MustDrop("refused", harness.PodOf("refused", harness.ContainerOf("main", harness.Forever, "lifecycle: {postStart: {tcpSocket: {port: 9}}}")))
	b.Event("PostStartHook failed: dial tcp")
	b.MustDrop("self", replaceGrace(harness.PodOf("self", harness.ContainerOf("main", "exec httpd -f -vv -p 8080", "ports: [{name: web, containerPort: 8080}]\nlifecycle: {preStop: {httpGet: {port: web, path: /self}}}")), "terminationGracePeriodSeconds: 5"))
	harness.Get(b, "http://"+b.Running("self").Status.PodIP+":8080/")
	log := logDir(b, "self") + "/main/0.log"
	b.MustRemove("self")
	b.Gone("self")
	saidOf(b, log, "url:/self", 1)
}

package lifecycle

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// Exit codes and signals arrive as Kubernetes tells them: 128+n for a signal.
//
// e2e: Pod SIGKILL [LinuxOnly] :: The containers terminated forcefully by Sigkill should have the correct exit code(137) and reason (Error)
func TestExitCodes(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for _, c := range []struct {
		name, script string
		code         int32
		reason       string
	}{
		{"zero", "exit 0", 0, "Completed"},
		{"one", "exit 1", 1, "Error"},
		{"fortytwo", "exit 42", 42, "Error"},
		{"most", "exit 255", 255, "Error"},
		// PID 1 of a namespace is not hurt by its own signals, so the shell is replaced by one that is not PID 1's.
		// Kubernetes reads $$ as an escaped $.
		{"segv", "sh -c 'kill -SEGV $$$$'; exit $?", 139, "Error"},
	} {
		b.MustDrop(c.name, harness.OnePod(c.name, c.script, "restartPolicy: Never"))
		pod := b.WaitPod(c.name, func(pod *corev1.Pod) string {
			if harness.Ended(pod, "main") == nil {
				return "it has not ended"
			}
			return ""
		})
		got := harness.Ended(pod, "main")
		if got.ExitCode != c.code || got.Reason != c.reason {
			t.Errorf("%s: exit code %d, reason %s", c.name, got.ExitCode, got.Reason)
		}
		if got.StartedAt.IsZero() || got.FinishedAt.Before(&got.StartedAt) || got.ContainerID == "" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// A container killed from outside has 128+9.
func TestKilledFromOutside(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("victim", harness.OnePod("victim", "echo alive; "+harness.Forever, "restartPolicy: Never"))
	b.Running("victim")
	b.Logged("victim", "main", "alive")
	pid := b.PidOf("victim")
	b.Must(harness.Kill(pid))
	pod := b.WaitPod("victim", harness.IsPhase(corev1.PodFailed))
	if got := harness.Ended(pod, "main"); got == nil || got.ExitCode != 137 || got.Reason != "Error" {
		t.Errorf("told as %+v", got)
	}
}

// The OOM killer is told apart from any other SIGKILL, whether it takes the first process or a child of it.
//
// e2e: The containers terminated by OOM killer should have the reason set to OOMKilled
func TestOOMKilled(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	limits := "resources:\n  limits: {memory: 24Mi}"
	for name, script := range map[string]string{
		"first": "exec tail /dev/zero", // tail keeps what it reads until a newline comes
		"child": "tail /dev/zero; exit $?",
	} {
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never", harness.ContainerOf("main", script, limits)))
		pod := b.WaitPod(name, harness.IsPhase(corev1.PodFailed))
		if got := harness.Ended(pod, "main"); got == nil || got.ExitCode != 137 || got.Reason != "OOMKilled" {
			t.Errorf("%s: told as %+v", name, got)
		}
	}
}

// What cannot be executed is a start error with the kernel's reason, not a crash of podd or an exit code of the program.
//
// e2e: Pods Extended :: Pod Container Status :: should never report success for a pending container
func TestCannotStart(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("nofile", strings.Replace(harness.OnePod("nofile", "true", "restartPolicy: Never"), "command: [sh, -c]", "command: [/no/such/program]", 1))
	pod := b.WaitPod("nofile", func(pod *corev1.Pod) string {
		if got := harness.Ended(pod, "main"); got == nil {
			return "no attempt has ended"
		}
		return ""
	})
	got := harness.Ended(pod, "main")
	if got.ExitCode == 0 || !strings.Contains(got.Message+got.Reason, "no such file") && !strings.Contains(got.Message, "not found") {
		t.Errorf("told as %+v", got)
	}
	if pod.Status.Phase == corev1.PodSucceeded {
		t.Error("the pod is told as succeeded")
	}
	b.MustRemove("nofile")
	b.Gone("nofile")
}

// The termination message comes from its file, or from the log's end when the policy says so.
//
// e2e: Container Runtime :: blackbox test :: on terminated container :: should report termination message if TerminationMessagePath is set
// e2e: Container Runtime :: blackbox test :: on terminated container :: should report termination message from log output if TerminationMessagePolicy FallbackToLogsOnError is set
// e2e: Container Runtime :: blackbox test :: on terminated container :: should report termination message from file when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set
// e2e: Container Runtime :: blackbox test :: on terminated container :: should report termination message as empty when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set
func TestTerminationMessage(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	for i, c := range []struct{ script, more, want string }{
		{"echo -n DONE >/dev/termination-log", "", "DONE"},
		{"echo -n DONE >/var/last", "terminationMessagePath: /var/last", "DONE"},
		{"echo from the log; exit 1", "terminationMessagePolicy: FallbackToLogsOnError", "from the log\n"},
		{"echo -n OK >/dev/termination-log; echo log", "terminationMessagePolicy: FallbackToLogsOnError", "OK"},
		{"echo log", "terminationMessagePolicy: FallbackToLogsOnError", ""},
	} {
		name := fmt.Sprintf("message-%d", i)
		var more []string
		if c.more != "" {
			more = append(more, c.more)
		}
		b.MustDrop(name, harness.PodOf(name, "restartPolicy: Never", harness.ContainerOf("main", c.script, more...)))
		pod := b.WaitPod(name, func(pod *corev1.Pod) string {
			if harness.Ended(pod, "main") == nil {
				return "it has not ended"
			}
			return ""
		})
		if got := harness.Ended(pod, "main").Message; got != c.want {
			t.Errorf("%q with %q: message is %q", c.script, c.more, got)
		}
	}
}

package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// An ephemeral container has the pod's network and its target's processes, outlives podd, runs once, and the pod does not notice.
//
// e2e: [sig-node] Ephemeral Containers :: will start an ephemeral container in an existing pod
func TestEphemeralContainer(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.OnePod("web", "exec sleep 7777"))
	before := b.Running("web")
	add := func(name, more string) (int, string) {
		t.Helper()
		return b.Request(http.MethodPatch, "/api/v1/namespaces/default/pods/web/ephemeralcontainers", "application/strategic-merge-patch+json",
			fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":%q,"image":"busybox","imagePullPolicy":"Never"%s}]}}`, name, more))
	}
	if code, text := add("bad", `,"targetContainerName":"none"`); code != 422 || !strings.Contains(text, "Not found") {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := add("look", `,"targetContainerName":"main","command":["sh","-c","echo looking; echo $$$$ >/pid; trap 'exit 3' TERM; while :; do sleep 0.1; done"]`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	status := func(name string) func(p *corev1.Pod) *corev1.ContainerStatus {
		return func(p *corev1.Pod) *corev1.ContainerStatus {
			for i := range p.Status.EphemeralContainerStatuses {
				if s := &p.Status.EphemeralContainerStatuses[i]; s.Name == name {
					return s
				}
			}
			return nil
		}
	}
	runs := func(p *corev1.Pod) string {
		if s := status("look")(p); s == nil || s.State.Running == nil {
			return fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
		}
		return ""
	}
	b.WaitPod("web", runs)
	if out := b.CLI("exec", "web", "-c", "look", "--", "ps"); !strings.Contains(out, "sleep 7777") {
		t.Errorf("it does not see its target: %s", out)
	}
	if out := b.CLI("exec", "web", "-c", "look", "--", "ip", "-4", "addr"); !strings.Contains(out, before.Status.PodIP) {
		t.Errorf("it has another network: %s", out)
	}
	b.Until(harness.Has("looking"), "logs", "web", "-c", "look")
	b.MustKill9()
	b.Must(b.Start())
	b.Must(b.Ready(harness.Limit))
	b.WaitPod("web", runs)
	b.CLI("exec", "web", "-c", "look", "--", "sh", "-c", "kill -TERM $(cat /pid)")
	after := b.WaitPod("web", func(p *corev1.Pod) string {
		s := status("look")(p)
		if s == nil || s.State.Terminated == nil || s.State.Terminated.ExitCode != 3 || s.RestartCount != 0 {
			return fmt.Sprintf("%+v", p.Status.EphemeralContainerStatuses)
		}
		return harness.IsRunning(p)
	})
	if after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount != 0 || len(after.Spec.EphemeralContainers) != 1 {
		t.Errorf("the pod has noticed: %+v", after.Status)
	}
	b.MustRemove("web")
	b.Gone("web")
}

// podd debug on a terminal is kubectl's: an ephemeral container that sees its target, and that can be attached to again.
func TestDebugTerminal(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.OnePod("web", "exec sleep 7777"))
	b.Running("web")
	tty, err := lab.OpenTerminal(40, 200)
	b.Must(err)
	defer tty.Close()
	command := b.Podd("debug", "-it", "web", "--image=busybox", "--image-pull-policy=Never", "--target=main", "-c", "look", "--", "sh")
	b.Must(tty.Start(command))
	ended := make(chan int, 1)
	go func() { _ = command.Wait(); ended <- command.ProcessState.ExitCode() }()
	b.Must(tty.Expect(harness.Limit, "Targeting container \"main\"", "try pressing enter"))
	tty.Send("ps; echo here$((1+1))\n")
	b.Must(tty.Expect(harness.Limit, "sleep 7777", "here2"))
	tty.Send("exit 3\n")
	if code := within(t, ended); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	b.Must(tty.Expect(harness.Limit, "Session ended, the ephemeral container will not be restarted but may be reattached using 'podd attach web -c look -n default -i -t'"))
	b.Until(harness.Has("Ephemeral Containers:", "  look:", "Exit Code:    3"), "describe", "pod", "web")
}

// A copy is a manifest of its own, which can take the place of the pod; so is a pod that sees the board.
func TestDebugCopyAndNode(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("web", harness.OnePod("web", harness.Forever, "restartPolicy: Always"))
	b.Running("web")
	image := []string{"--image=busybox", "--image-pull-policy=Never", "--manifests", b.Manifests}
	b.CLI(append([]string{"debug", "web", "--copy-to=copy", "-c", "look", "--share-processes=false"}, append(image, "--", "sleep", "1000")...)...)
	if p := b.Running("copy"); len(p.Spec.Containers) != 2 || p.Spec.Containers[1].Name != "look" {
		t.Errorf("%+v", p.Spec)
	}
	b.Running("web")
	b.CLI("debug", "web", "--copy-to=other", "--replace", "--set-image=main=busybox", "--manifests", b.Manifests)
	b.Running("other")
	b.Gone("web")
	out, stderr, code := b.RunCLI(append([]string{"debug", "node/" + b.MustPod("other").Spec.NodeName, "-q", "--attach=false"}, append(image, "--", "sh", "-c", "ls /host/proc/1/ns; exec sleep 1000")...)...)
	files, err := filepath.Glob(filepath.Join(b.Manifests, "node-debugger-*.yaml"))
	if code != 0 || err != nil || len(files) != 1 {
		t.Fatalf("%d %s%s %v", code, out, stderr, files)
	}
	name := strings.TrimSuffix(filepath.Base(files[0]), ".yaml")
	if p := b.Running(name); !p.Spec.HostPID || !p.Spec.HostNetwork {
		t.Errorf("%+v", p.Spec)
	}
	b.Logged(name, "debugger", "mnt")
	b.Must(os.Remove(files[0]))
	b.Gone(name)
}

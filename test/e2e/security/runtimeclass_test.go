package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A pod of a RuntimeClass waits for the class, for its handler and for the handler's devices, and runs as these say. What it was
// started by holds also for what starts in it later.
func TestRuntimeClass(t *testing.T) {
	t.Parallel()
	file, specs := filepath.Join(t.TempDir(), "config.yaml"), filepath.Join(t.TempDir(), "not", "there")
	b := harness.NewEmptyBoard(t, harness.WithArgs("--config", file))
	base := fmt.Sprintf("cdiSpecDirs: [%s]\ncrashLoopBackOff: {maxContainerRestartPeriod: 1s}\n", specs)
	config := func(text string) { b.Must(os.WriteFile(file, []byte(base+text), 0o600)) }
	config("")
	b.LoadImages("busybox.tar")
	b.MustStart()
	b.MustDrop("gpu", harness.PodOf("gpu", "runtimeClassName: accelerated", harness.ContainerOf("main", "while ! test -e /dev/shm/end; do sleep 0.1; done; rm /dev/shm/end; exit 1")))
	b.WaitPod("gpu", func(p *corev1.Pod) string {
		if strings.Contains(p.Status.Message, `pods "gpu" is forbidden: pod rejected: RuntimeClass "accelerated" not found`) {
			return ""
		}
		return fmt.Sprint(p.Status)
	})
	b.MustDrop("class", "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: accelerated}\nhandler: gpu\noverhead: {podFixed: {memory: 8Mi}}\n")
	b.HasEvent(`Failed to create pod sandbox: no runtime for "gpu" is configured`)
	config("runtimeHandlers: {gpu: {cdiDevices: [example.com/gpu=0], sysctls: {net.core.somaxconn: '77'}}}\n")
	b.Must(unix.Kill(b.Pid(), unix.SIGHUP))
	b.HasEvent("unresolvable CDI devices example.com/gpu=0")
	b.Must(os.MkdirAll(specs, 0o755)) // nobody tells podd
	b.Must(os.WriteFile(filepath.Join(specs, "gpu.yaml"), []byte("cdiVersion: 0.7.0\nkind: example.com/gpu\ndevices: [{name: '0', containerEdits: {env: [GPU=0]}}]\n"), 0o600))
	b.Running("gpu")
	config("runtimeHandlers: {}\n")
	b.MustKill9()
	b.MustStart()
	b.Sh("gpu", "main", "touch /dev/shm/end")
	b.WaitPod("gpu", func(p *corev1.Pod) string {
		if s := p.Status.ContainerStatuses; len(s) == 1 && s[0].RestartCount == 1 && s[0].State.Running != nil {
			return ""
		}
		return "it has not begun again"
	})
	b.Sh("gpu", "main", `test "$GPU" = 0 && test $(cat /proc/sys/net/core/somaxconn) = 77`)
	p := b.MustPod("gpu")
	if q := p.Spec.Overhead[corev1.ResourceMemory]; q.String() != "8Mi" {
		t.Errorf("overhead %v", p.Spec.Overhead)
	}
	if out := b.CLI("describe", "pod", "gpu"); !strings.Contains(out, "CDI devices example.com/gpu=0") {
		t.Errorf("describe:\n%s", out)
	}
	if out := strings.Join(strings.Fields(b.CLI("get", "runtimeclass")), " "); !strings.HasPrefix(out, "NAME HANDLER AGE accelerated gpu ") {
		t.Error(out)
	}
}

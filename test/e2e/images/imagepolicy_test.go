package images

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A pod whose image the policy does not let run waits, although an archive has brought the image; with another policy it
// starts by itself, and what runs goes on whatever the policy becomes.
func TestImagePolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, policy := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "policy.json")
	set := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	set(config, "pullImages: false\nimagePolicy: "+policy+"\n")
	set(policy, `{"default": [{"type": "reject"}]}`)
	b := harness.NewBoard(t, harness.WithArgs("--config", config))
	b.MustDrop("app", fromImages("app"))
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if harness.ContainerStatus(pod, "main").State.Waiting == nil {
			return "it does not wait"
		}
		return ""
	})
	b.Event("signature validation failed")
	set(policy, `{"default": [{"type": "reject"}], "transports": {"docker": {"docker.io/library/busybox": [{"type": "insecureAcceptAnything"}]}}}`)
	before := b.Running("app")
	set(policy, `{"default": [{"type": "reject"}]}`)
	b.MustDrop("other", harness.PodOf("other", "", harness.ContainerOf("main", harness.Forever)))
	b.WaitPod("other", harness.IsWaiting("main", "ImagePullBackOff"))
	if after := b.Running("app"); after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
		t.Error("the pod that ran was started again")
	}
}

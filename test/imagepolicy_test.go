package test

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
	b := newBoard(t, withArgs("--config", config))
	b.drop("app", fromImages("app"))
	b.wait("app", func(pod *corev1.Pod) string {
		if containerStatus(pod, "main").State.Waiting == nil {
			return "it does not wait"
		}
		return ""
	})
	b.event("signature validation failed")
	set(policy, `{"default": [{"type": "reject"}], "transports": {"docker": {"docker.io/library/busybox": [{"type": "insecureAcceptAnything"}]}}}`)
	before := b.running("app")
	set(policy, `{"default": [{"type": "reject"}]}`)
	b.drop("other", podOf("other", "", containerOf("main", forever)))
	b.wait("other", isWaiting("main", "ImagePullBackOff"))
	if after := b.running("app"); after.Status.ContainerStatuses[0].ContainerID != before.Status.ContainerStatuses[0].ContainerID {
		t.Error("the pod that ran was started again")
	}
}

package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

// A pod whose image is not here waits and says why; it starts when the archive appears in the folder.
//
// e2e: Container Runtime :: blackbox test :: when running a container with a new image :: should not be able to pull image from invalid registry [Serial]
func TestMissingImageStartsOnArrival(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.MustStart()
	b.MustDrop("never", harness.OnePod("never", harness.Forever))
	b.MustDrop("default", strings.Replace(harness.OnePod("default", harness.Forever), "    imagePullPolicy: Never\n", "", 1))
	b.WaitPod("never", harness.IsWaiting("main", "ErrImageNeverPull"))
	b.WaitPod("default", func(pod *corev1.Pod) string {
		waiting := harness.ContainerStatus(pod, "main").State.Waiting
		if waiting == nil || waiting.Reason != "ImagePullBackOff" && waiting.Reason != "ErrImagePull" {
			return "it does not wait for its image"
		}
		if !strings.Contains(waiting.Message, "busybox") {
			return "the message does not name the image"
		}
		return ""
	})
	b.LoadImages("busybox.tar")
	b.Running("never")
	pod := b.Running("default")
	if status := harness.ContainerStatus(pod, "main"); !strings.Contains(status.ImageID, "sha256:") {
		t.Errorf("imageID is %q", status.ImageID)
	}
}

// podd images load, ls and rm; an image in use is not removed.
func TestImagesCommands(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.MustStart()
	b.MustDrop("user", harness.OnePod("user", harness.Forever))
	b.CLI("images", "load", harness.Archive(t, "busybox.tar"))
	b.Running("user")
	if list := b.CLI("images", "ls"); !strings.Contains(list, "busybox") {
		t.Errorf("images ls says:\n%s", list)
	}
	if _, stderr, code := b.RunCLI("images", "rm", "busybox"); code == 0 {
		t.Errorf("an image in use was removed: %s", stderr)
	}
	file, err := os.Open(harness.Archive(t, "variants.tar"))
	b.Must(err)
	defer file.Close()
	load := b.Podd("images", "load", "-")
	load.Stdin = file
	if output, err := load.CombinedOutput(); err != nil {
		t.Fatalf("images load -: %v: %s", err, output)
	}
	b.CLI("images", "rm", "podd.test/stopsignal:1")
	if list := b.CLI("images", "ls"); strings.Contains(list, "stopsignal") {
		t.Errorf("after rm, images ls says:\n%s", list)
	}
}

// An archive that is none is refused with its name and stops nothing else.
func TestBrokenArchive(t *testing.T) {
	t.Parallel()
	b := harness.NewEmptyBoard(t)
	b.Must(os.WriteFile(filepath.Join(b.Images, "broken.tar"), []byte("this is no archive"), 0o644))
	b.MustStart()
	b.LoadImages("busybox.tar")
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	if !strings.Contains(b.Output(), "broken.tar") {
		t.Error("nobody says that broken.tar is broken")
	}
	if _, _, code := b.RunCLI("images", "load", filepath.Join(b.Images, "broken.tar")); code == 0 {
		t.Error("images load of it succeeds")
	}
}

// What the image says holds where the pod says nothing; command replaces entrypoint and cmd, args only cmd.
//
// e2e: Containers :: should use the image defaults if command and args are blank
// e2e: Containers :: should be able to override the image's default arguments (container cmd)
// e2e: Containers :: should be able to override the image's default command (container entrypoint)
// e2e: Containers :: should be able to override the image's default command and arguments
func TestImageDefaults(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.LoadImages("variants.tar")
	for _, c := range []struct{ name, spec, want string }{
		{"blank", "", "entry cmd 1000 /work from-image"},
		{"args", "args: [x, z]", "entry x z 1000 /work from-image"},
		{"command", "command: [/bin/show, other]", "other 1000 /work from-image"},
		{"both", "command: [/bin/show, other]\nargs: [z]", "other z 1000 /work from-image"},
		{"env", "workingDir: /tmp\nenv: [{name: FROM, value: pod}]\nsecurityContext: {runAsUser: 7}", "entry cmd 7 /tmp pod"},
	} {
		b.MustDrop(c.name, harness.PodOf(c.name, "restartPolicy: Never",
			"- name: main\n  image: podd.test/defaults:1\n  imagePullPolicy: Never\n"+harness.Indent(c.spec, 2)))
		b.WaitPod(c.name, harness.IsPhase(corev1.PodSucceeded))
		if got := strings.TrimSpace(b.LogsOf(c.name)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

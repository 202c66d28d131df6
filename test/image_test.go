package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A pod whose image is not here waits and says why; it starts when the archive appears in the folder.
//
// e2e: Container Runtime :: blackbox test :: when running a container with a new image :: should not be able to pull image from invalid registry [Serial]
func TestMissingImageStartsOnArrival(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	b.start()
	b.drop("never", onePod("never", forever))
	b.drop("default", strings.Replace(onePod("default", forever), "    imagePullPolicy: Never\n", "", 1))
	b.wait("never", isWaiting("main", "ErrImageNeverPull"))
	b.wait("default", func(pod *corev1.Pod) string {
		waiting := containerStatus(pod, "main").State.Waiting
		if waiting == nil || waiting.Reason != "ImagePullBackOff" && waiting.Reason != "ErrImagePull" {
			return "it does not wait for its image"
		}
		if !strings.Contains(waiting.Message, "busybox") {
			return "the message does not name the image"
		}
		return ""
	})
	b.loadImages("busybox.tar")
	b.running("never")
	pod := b.running("default")
	if status := containerStatus(pod, "main"); !strings.Contains(status.ImageID, "sha256:") {
		t.Errorf("imageID is %q", status.ImageID)
	}
}

// podd images load, ls and rm; an image in use is not removed.
func TestImagesCommands(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	b.start()
	b.drop("user", onePod("user", forever))
	b.podd("images", "load", archive(t, "busybox.tar"))
	b.running("user")
	if list := b.podd("images", "ls"); !strings.Contains(list, "busybox") {
		t.Errorf("images ls says:\n%s", list)
	}
	if _, stderr, code := b.run("images", "rm", "busybox"); code == 0 {
		t.Errorf("an image in use was removed: %s", stderr)
	}
	file, err := os.Open(archive(t, "variants.tar"))
	b.must(err)
	defer file.Close()
	load := b.Podd("images", "load", "-")
	load.Stdin = file
	if output, err := load.CombinedOutput(); err != nil {
		t.Fatalf("images load -: %v: %s", err, output)
	}
	b.podd("images", "rm", "podd.test/stopsignal:1")
	if list := b.podd("images", "ls"); strings.Contains(list, "stopsignal") {
		t.Errorf("after rm, images ls says:\n%s", list)
	}
}

// An archive that is none is refused with its name and stops nothing else.
func TestBrokenArchive(t *testing.T) {
	t.Parallel()
	b := newEmptyBoard(t)
	b.must(os.WriteFile(filepath.Join(b.Images, "broken.tar"), []byte("this is no archive"), 0o644))
	b.start()
	b.loadImages("busybox.tar")
	b.drop("app", onePod("app", forever))
	b.running("app")
	if !strings.Contains(b.Output(), "broken.tar") {
		t.Error("nobody says that broken.tar is broken")
	}
	if _, _, code := b.run("images", "load", filepath.Join(b.Images, "broken.tar")); code == 0 {
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
	b := newBoard(t)
	b.loadImages("variants.tar")
	for _, c := range []struct{ name, spec, want string }{
		{"blank", "", "entry cmd 1000 /work from-image"},
		{"args", "args: [x, z]", "entry x z 1000 /work from-image"},
		{"command", "command: [/bin/show, other]", "other 1000 /work from-image"},
		{"both", "command: [/bin/show, other]\nargs: [z]", "other z 1000 /work from-image"},
		{"env", "workingDir: /tmp\nenv: [{name: FROM, value: pod}]\nsecurityContext: {runAsUser: 7}", "entry cmd 7 /tmp pod"},
	} {
		b.drop(c.name, podOf(c.name, "restartPolicy: Never",
			"- name: main\n  image: podd.test/defaults:1\n  imagePullPolicy: Never\n"+indent(c.spec, 2)))
		b.wait(c.name, isPhase(corev1.PodSucceeded))
		if got := strings.TrimSpace(b.logs(c.name)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

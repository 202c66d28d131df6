package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
)

func replaceGrace(manifest, grace string) string {
	return strings.Replace(manifest, "terminationGracePeriodSeconds: 1", grace, 1)
}

// A changed spec replaces the pod, after the old one has ended and not before.
//
// e2e: MirrorPod (Pod Generation) :: mirror pod updates :: mirror pod: update container image
// e2e: MirrorPod :: when create a mirror pod without changes :: should be updated when static pod updated
func TestChangedSpecReplaces(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	// Both versions hold the same port of the node: they cannot overlap.
	version := func(v string) string {
		return harness.OnePod("app", "mkdir /www; echo "+v+" >/www/index.html; exec httpd -f -p 8077 -h /www", "hostNetwork: true")
	}
	b.MustDrop("app", version("first"))
	old := b.Running("app")
	if got := harness.Get(b, "http://127.0.0.1:8077/"); got != "first\n" {
		t.Fatalf("it serves %q", got)
	}
	b.MustDrop("app", version("second"))
	replaced := b.WaitPod("app", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "it is still the old one"
		}
		return harness.IsRunning(pod)
	})
	if got := harness.Get(b, "http://127.0.0.1:8077/"); got != "second\n" {
		t.Errorf("it serves %q", got)
	}
	if harness.ContainerStatus(replaced, "main").RestartCount != 0 {
		t.Error("the second version could not start at once: the first was still there")
	}
}

// Comments, white space and a touched file change nothing.
func TestTouchedFileChangesNothing(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	manifest := harness.OnePod("same", harness.Forever)
	b.MustDrop("same", manifest)
	before := b.Running("same")
	b.MustDrop("same", "# a comment\n"+manifest+"\n\n")
	b.MustDrop("marker", harness.OnePod("marker", harness.Forever))
	b.Running("marker") // by now the other file has been looked at
	after := b.Running("same")
	if after.UID != before.UID || harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
}

// A bad edit keeps the last good pod running and shows the error, also across a crash and a reboot, until the file is
// good again.
func TestBadEditKeepsTheLastGoodPod(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	good := b.Running("app")
	b.MustDrop("app", strings.Replace(harness.OnePod("app", harness.Forever), "command:", "comand:", 1))
	b.Event("comand")
	same := func(when string) {
		t.Helper()
		pod := b.Running("app")
		if harness.ContainerStatus(pod, "main").ContainerID != harness.ContainerStatus(good, "main").ContainerID {
			t.Errorf("%s the container is another one", when)
		}
	}
	same("after the bad edit")
	b.MustKill9()
	b.MustStart()
	same("after the crash")
	b.MustReboot()
	b.MustStart()
	b.Running("app")
	b.MustDrop("app", harness.OnePod("app", "echo repaired; "+harness.Forever))
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if pod.UID == good.UID {
			return "it is still the old one"
		}
		return harness.IsRunning(pod)
	})
	b.Logged("app", "main", "repaired")
}

// A new file that is bad is shown as a pod that was refused, with the path and the reason.
func TestRefusedManifestIsSeen(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("bad", strings.Replace(harness.OnePod("bad", "true"), "restartPolicy", "x", 1)+"    unknownField: 1\n")
	b.Event("unknownField")
	if table := b.CLI("get", "pods"); !strings.Contains(table, "bad") {
		t.Errorf("get pods does not show it:\n%s", table)
	}
	b.MustRemove("bad")
	b.Gone("bad")
}

// A name in two files: the older one runs, the newer one is refused and named; it takes over when the older one goes.
func TestDuplicateName(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("first", harness.OnePod("twice", "echo from the first; "+harness.Forever))
	old := b.Running("twice")
	b.MustDrop("second", harness.OnePod("twice", "echo from the second; "+harness.Forever))
	b.Event("second.yaml")
	if pod := b.Running("twice"); pod.UID != old.UID {
		t.Error("the newer file won")
	}
	b.MustRemove("first")
	b.WaitPod("twice", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "the first is still there"
		}
		return harness.IsRunning(pod)
	})
	b.Logged("twice", "main", "from the second")
}

// A folder that vanishes removes nothing; one that is empty removes its pods.
func TestVanishedFolder(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	before := b.Running("app")
	aside := filepath.Join(b.Dir, "aside")
	b.Must(os.Rename(b.Manifests, aside))
	b.Event(b.Manifests)
	b.MustKill9() // not even a new daemon, which finds no folder, may take the pod for removed
	b.MustStart()
	b.Must(os.Rename(aside, b.Manifests))
	b.MustDrop("marker", harness.OnePod("marker", harness.Forever))
	b.Running("marker")
	if after := b.Running("app"); harness.ContainerStatus(after, "main").ContainerID != harness.ContainerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
	b.MustRemove("app")
	b.MustRemove("marker")
	b.Gone("app")
	b.Gone("marker")
}

// ConfigMap-style swaps of a ..data symlink are seen.
func TestSwappedSymlink(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	write := func(version string) {
		dir := filepath.Join(b.Manifests, "..v"+version)
		b.Must(os.Mkdir(dir, 0o755))
		b.Must(os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(harness.OnePod("app", "echo version "+version+"; "+harness.Forever)), 0o644))
		b.Must(os.Symlink("..v"+version, filepath.Join(b.Manifests, "..new")))
		b.Must(os.Rename(filepath.Join(b.Manifests, "..new"), filepath.Join(b.Manifests, "..data")))
	}
	write("1")
	b.Must(os.Symlink("..data/app.yaml", filepath.Join(b.Manifests, "app.yaml")))
	old := b.Running("app")
	write("2")
	b.WaitPod("app", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "it is still the old one"
		}
		return harness.IsRunning(pod)
	})
	b.Logged("app", "main", "version 2")
}

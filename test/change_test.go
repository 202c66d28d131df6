package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

func replaceGrace(manifest, grace string) string {
	return strings.Replace(manifest, "terminationGracePeriodSeconds: 1", grace, 1)
}

func replaceImage(manifest, image string) string {
	return strings.Replace(manifest, "image: busybox\n", "image: "+image+"\n", 1)
}

// A changed spec replaces the pod, after the old one has ended and not before.
//
// e2e: MirrorPod (Pod Generation) :: mirror pod updates :: mirror pod: update container image
// e2e: MirrorPod :: when create a mirror pod without changes :: should be updated when static pod updated
func TestChangedSpecReplaces(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	// Both versions hold the same port of the node: they cannot overlap.
	version := func(v string) string {
		return onePod("app", "mkdir /www; echo "+v+" >/www/index.html; exec httpd -f -p 8077 -h /www", "hostNetwork: true")
	}
	b.drop("app", version("first"))
	old := b.running("app")
	if got := get(b, "http://127.0.0.1:8077/"); got != "first\n" {
		t.Fatalf("it serves %q", got)
	}
	b.drop("app", version("second"))
	replaced := b.wait("app", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "it is still the old one"
		}
		return isRunning(pod)
	})
	if got := get(b, "http://127.0.0.1:8077/"); got != "second\n" {
		t.Errorf("it serves %q", got)
	}
	if containerStatus(replaced, "main").RestartCount != 0 {
		t.Error("the second version could not start at once: the first was still there")
	}
}

// Comments, white space and a touched file change nothing.
func TestTouchedFileChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	manifest := onePod("same", forever)
	b.drop("same", manifest)
	before := b.running("same")
	b.drop("same", "# a comment\n"+manifest+"\n\n")
	b.drop("marker", onePod("marker", forever))
	b.running("marker") // by now the other file has been looked at
	after := b.running("same")
	if after.UID != before.UID || containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
}

// A bad edit keeps the last good pod running and shows the error, also across a crash and a reboot, until the file is
// good again.
func TestBadEditKeepsTheLastGoodPod(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	good := b.running("app")
	b.drop("app", strings.Replace(onePod("app", forever), "command:", "comand:", 1))
	b.event("comand")
	same := func(when string) {
		t.Helper()
		pod := b.running("app")
		if containerStatus(pod, "main").ContainerID != containerStatus(good, "main").ContainerID {
			t.Errorf("%s the container is another one", when)
		}
	}
	same("after the bad edit")
	b.kill9()
	b.start()
	same("after the crash")
	b.reboot()
	b.start()
	b.running("app")
	b.drop("app", onePod("app", "echo repaired; "+forever))
	b.wait("app", func(pod *corev1.Pod) string {
		if pod.UID == good.UID {
			return "it is still the old one"
		}
		return isRunning(pod)
	})
	b.logged("app", "main", "repaired")
}

// event waits for an event whose message has the text.
func (b *Board) event(text string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) {
		stdout, stderr, _ := b.run("get", "events")
		return strings.Contains(stdout, text), fmt.Errorf("no event with %q:\n%s%s", text, stdout, stderr)
	}))
}

// A new file that is bad is shown as a pod that was refused, with the path and the reason.
func TestRefusedManifestIsSeen(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("bad", strings.Replace(onePod("bad", "true"), "restartPolicy", "x", 1)+"    unknownField: 1\n")
	b.event("unknownField")
	if table := b.podd("get", "pods"); !strings.Contains(table, "bad") {
		t.Errorf("get pods does not show it:\n%s", table)
	}
	b.remove("bad")
	b.gone("bad")
}

// A name in two files: the older one runs, the newer one is refused and named; it takes over when the older one goes.
func TestDuplicateName(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("first", onePod("twice", "echo from the first; "+forever))
	old := b.running("twice")
	b.drop("second", onePod("twice", "echo from the second; "+forever))
	b.event("second.yaml")
	if pod := b.running("twice"); pod.UID != old.UID {
		t.Error("the newer file won")
	}
	b.remove("first")
	b.wait("twice", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "the first is still there"
		}
		return isRunning(pod)
	})
	b.logged("twice", "main", "from the second")
}

// A folder that vanishes removes nothing; one that is empty removes its pods.
func TestVanishedFolder(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	before := b.running("app")
	aside := filepath.Join(b.Dir, "aside")
	b.must(os.Rename(b.Manifests, aside))
	b.event(b.Manifests)
	b.kill9() // not even a new daemon, which finds no folder, may take the pod for removed
	b.start()
	b.must(os.Rename(aside, b.Manifests))
	b.drop("marker", onePod("marker", forever))
	b.running("marker")
	if after := b.running("app"); containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		t.Error("the pod was replaced")
	}
	b.remove("app")
	b.remove("marker")
	b.gone("app")
	b.gone("marker")
}

// ConfigMap-style swaps of a ..data symlink are seen.
func TestSwappedSymlink(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	write := func(version string) {
		dir := filepath.Join(b.Manifests, "..v"+version)
		b.must(os.Mkdir(dir, 0o755))
		b.must(os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(onePod("app", "echo version "+version+"; "+forever)), 0o644))
		b.must(os.Symlink("..v"+version, filepath.Join(b.Manifests, "..new")))
		b.must(os.Rename(filepath.Join(b.Manifests, "..new"), filepath.Join(b.Manifests, "..data")))
	}
	write("1")
	b.must(os.Symlink("..data/app.yaml", filepath.Join(b.Manifests, "app.yaml")))
	old := b.running("app")
	write("2")
	b.wait("app", func(pod *corev1.Pod) string {
		if pod.UID == old.UID {
			return "it is still the old one"
		}
		return isRunning(pod)
	})
	b.logged("app", "main", "version 2")
}

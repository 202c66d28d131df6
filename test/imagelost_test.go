package test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/lab"
)

// imageRecords are the records of the image store, of which one is to be lost.
func (b *Board) imageRecords() []string {
	b.t.Helper()
	list, err := filepath.Glob(filepath.Join(b.Root, "images/i/*.json"))
	b.must(err)
	if len(list) == 0 {
		b.t.Fatal("the store has no record")
	}
	return list
}

// fromImages is a pod that runs from an image and has a volume of it.
func fromImages(name string) string {
	return podOf(name, "volumes: [{name: files, image: {reference: busybox}}]",
		containerOf("main", forever, "volumeMounts: [{name: files, mountPath: /files}]"))
}

// whole fails unless a container still has the files of its image, also in its volume.
func (b *Board) whole(pod string) {
	b.t.Helper()
	b.must(lab.Poll(limit, func() (bool, error) { // a command needs the image's configuration, which is read again meanwhile
		_, stderr, code := b.run("exec", pod, "-c", "main", "--", "ls", "/bin/busybox", "/files/bin/busybox")
		return code == 0, errors.New(stderr)
	}))
}

// What pods use of the image store stays, whatever has become of its records; and what the store has lost comes again from
// the folder of archives.
func TestLostImageRecord(t *testing.T) {
	t.Parallel()
	damage := map[string]func(path string) error{
		"removed": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte("\x00{garbage"), 0o600) },
		"another": func(path string) error { return os.WriteFile(path, []byte(`{"id":"sha256:00"}`), 0o600) },
	}
	for name, damage := range damage {
		for _, up := range []bool{true, false} {
			when := map[bool]string{true: "while podd runs", false: "while podd does not run"}[up]
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				b := newBoard(t)
				b.drop("app", fromImages("app"))
				before := b.running("app")
				if !up {
					b.kill9()
				}
				for _, record := range b.imageRecords() {
					b.must(damage(record))
				}
				if !up {
					b.start()
				}
				b.must(lab.Poll(limit, func() (bool, error) {
					return strings.Contains(b.podd("images", "ls"), "busybox"), errors.New("the image is not imported again")
				}))
				b.whole("app")
				if name != "removed" {
					b.event("an image is lost")
				}
				b.drop("new", fromImages("new"))
				b.running("new")
				b.whole("new")
				b.sameContainer("app", before)
				// Collecting what nobody uses takes nothing away that somebody uses.
				b.loadImages("variants.tar")
				b.must(lab.Poll(limit, func() (bool, error) {
					return strings.Contains(b.podd("images", "ls"), "podd.test"), errors.New("the second image is not imported")
				}))
				b.whole("app")
			})
		}
	}
}

func (b *Board) sameContainer(pod string, before *corev1.Pod) {
	b.t.Helper()
	if after := b.pod(pod); containerStatus(after, "main").ContainerID != containerStatus(before, "main").ContainerID {
		b.t.Errorf("pod %s has another container", pod)
	}
}

// A layer that somebody has removed is imported again, so that new pods start.
func TestLostImageLayer(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	b.running("app")
	layers, err := filepath.Glob(filepath.Join(b.Root, "images/l/*"))
	b.must(err)
	for _, layer := range layers {
		b.must(os.RemoveAll(layer))
	}
	b.event("has lost its layer")
	b.drop("new", onePod("new", forever))
	b.running("new")
	b.sh("new", "main", "ls /bin/busybox")
}

// The whole store is removed while podd runs: it is made and filled again, so that new pods start.
func TestRemovedImageStore(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", onePod("app", forever))
	before := b.running("app")
	for range 2 { // what is made again is watched again
		b.must(lab.Poll(limit, func() (bool, error) { // podd may be making folders meanwhile
			err := os.RemoveAll(filepath.Join(b.Root, "images"))
			return err == nil, err
		}))
		b.must(lab.Poll(limit, func() (bool, error) {
			layers, err := filepath.Glob(filepath.Join(b.Root, "images/l/*/bin/busybox"))
			return err == nil && len(layers) > 0, errors.New("the image is not imported again")
		}))
		b.drop("new", onePod("new", forever))
		b.running("new")
		b.sh("new", "main", "ls /bin/busybox")
		b.remove("new")
		b.gone("new")
	}
	b.sameContainer("app", before)
}

// No command takes the image of a pod away: not of one that crashes over and over, nor of one that has ended, nor while no
// daemon runs. An image that nobody uses goes, and does not come back by itself.
func TestImagesInUseStay(t *testing.T) {
	t.Parallel()
	b := newBoard(t)
	b.drop("app", fromImages("app"))
	b.running("app")
	b.drop("crash", onePod("crash", "exit 1"))
	b.wait("crash", hasRestarted("main", 1))
	refused := func() {
		t.Helper()
		if _, stderr, code := b.run("images", "rm", "busybox", "--root", b.Root); code == 0 || !strings.Contains(stderr, "in use") && !strings.Contains(stderr, "uses it") {
			t.Errorf("podd images rm: %d, %s", code, stderr)
		}
	}
	refused()
	b.kill9()
	refused()
	b.start()
	b.whole("app")
	b.remove("app")
	b.gone("app")
	b.drop("done", onePod("done", "true", "restartPolicy: Never"))
	b.wait("done", isPhase(corev1.PodSucceeded))
	b.remove("crash")
	b.gone("crash")
	refused()
	b.remove("done")
	b.gone("done")
	b.podd("images", "rm", "busybox")
	b.loadImages("variants.tar")
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Contains(b.podd("images", "ls"), "podd.test"), errors.New("the second image is not imported")
	}))
	b.kill9()
	b.start()
	b.must(lab.Poll(limit, func() (bool, error) {
		return strings.Contains(b.podd("images", "ls"), "podd.test"), errors.New("the store is not read")
	}))
	if list := b.podd("images", "ls"); strings.Contains(list, "busybox:latest") {
		t.Errorf("an image that was removed has come back:\n%s", list)
	}
}

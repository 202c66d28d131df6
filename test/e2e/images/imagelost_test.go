package images

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/test/harness"
	"podd/test/lab"
)

// imageRecords are the records of the image store, of which one is to be lost.
func imageRecords(b *harness.Board) []string {
	b.T.Helper()
	list, err := filepath.Glob(filepath.Join(b.Root, "images/i/*.json"))
	b.Must(err)
	if len(list) == 0 {
		b.T.Fatal("the store has no record")
	}
	return list
}

// fromImages is a pod that runs from an image and has a volume of it.
func fromImages(name string) string {
	return harness.PodOf(name, "volumes: [{name: files, image: {reference: busybox}}]",
		harness.ContainerOf("main", harness.Forever, "volumeMounts: [{name: files, mountPath: /files}]"))
}

// whole fails unless a container still has the files of its image, also in its volume.
func whole(b *harness.Board, pod string) {
	b.T.Helper()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) { // a command needs the image's configuration, which is read again meanwhile
		_, stderr, code := b.RunCLI("exec", pod, "-c", "main", "--", "ls", "/bin/busybox", "/files/bin/busybox")
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
				b := harness.NewBoard(t)
				b.MustDrop("app", fromImages("app"))
				before := b.Running("app")
				if !up {
					b.MustKill9()
				}
				for _, record := range imageRecords(b) {
					b.Must(damage(record))
				}
				if !up {
					b.MustStart()
				}
				b.Must(lab.Poll(harness.Limit, func() (bool, error) {
					return strings.Contains(b.CLI("images", "ls"), "busybox"), errors.New("the image is not imported again")
				}))
				whole(b, "app")
				if name != "removed" {
					b.Event("an image is lost")
				}
				b.MustDrop("new", fromImages("new"))
				b.Running("new")
				whole(b, "new")
				b.SameContainer("app", before)
				// Collecting what nobody uses takes nothing away that somebody uses.
				b.LoadImages("variants.tar")
				b.Must(lab.Poll(harness.Limit, func() (bool, error) {
					return strings.Contains(b.CLI("images", "ls"), "podd.test"), errors.New("the second image is not imported")
				}))
				whole(b, "app")
			})
		}
	}
}

// A layer that somebody has removed is imported again, so that new pods start.
func TestLostImageLayer(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	b.Running("app")
	layers, err := filepath.Glob(filepath.Join(b.Root, "images/l/*"))
	b.Must(err)
	for _, layer := range layers {
		b.Must(os.RemoveAll(layer))
	}
	b.Event("has lost its layer")
	b.MustDrop("new", harness.OnePod("new", harness.Forever))
	b.Running("new")
	b.Sh("new", "main", "ls /bin/busybox")
}

// The whole store is removed while podd runs: it is made and filled again, so that new pods start.
func TestRemovedImageStore(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", harness.OnePod("app", harness.Forever))
	before := b.Running("app")
	for range 2 { // what is made again is watched again
		b.Must(lab.Poll(harness.Limit, func() (bool, error) { // podd may be making folders meanwhile
			err := os.RemoveAll(filepath.Join(b.Root, "images"))
			return err == nil, err
		}))
		b.Must(lab.Poll(harness.Limit, func() (bool, error) {
			layers, err := filepath.Glob(filepath.Join(b.Root, "images/l/*/bin/busybox"))
			return err == nil && len(layers) > 0, errors.New("the image is not imported again")
		}))
		b.MustDrop("new", harness.OnePod("new", harness.Forever))
		b.Running("new")
		b.Sh("new", "main", "ls /bin/busybox")
		b.MustRemove("new")
		b.Gone("new")
	}
	b.SameContainer("app", before)
}

// No command takes the image of a pod away: not of one that crashes over and over, nor of one that has ended, nor while no
// daemon runs. An image that nobody uses goes, and does not come back by itself.
func TestImagesInUseStay(t *testing.T) {
	t.Parallel()
	b := harness.NewBoard(t)
	b.MustDrop("app", fromImages("app"))
	b.Running("app")
	b.MustDrop("crash", harness.OnePod("crash", "exit 1"))
	b.WaitPod("crash", harness.HasRestarted("main", 1))
	refused := func() {
		t.Helper()
		if _, stderr, code := b.RunCLI("images", "rm", "busybox", "--root", b.Root); code == 0 || !strings.Contains(stderr, "in use") && !strings.Contains(stderr, "uses it") {
			t.Errorf("podd images rm: %d, %s", code, stderr)
		}
	}
	refused()
	b.MustKill9()
	refused()
	b.MustStart()
	whole(b, "app")
	b.MustRemove("app")
	b.Gone("app")
	b.MustDrop("done", harness.OnePod("done", "true", "restartPolicy: Never"))
	b.WaitPod("done", harness.IsPhase(corev1.PodSucceeded))
	b.MustRemove("crash")
	b.Gone("crash")
	refused()
	b.MustRemove("done")
	b.Gone("done")
	b.CLI("images", "rm", "busybox")
	b.LoadImages("variants.tar")
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Contains(b.CLI("images", "ls"), "podd.test"), errors.New("the second image is not imported")
	}))
	b.MustKill9()
	b.MustStart()
	b.Must(lab.Poll(harness.Limit, func() (bool, error) {
		return strings.Contains(b.CLI("images", "ls"), "podd.test"), errors.New("the store is not read")
	}))
	if list := b.CLI("images", "ls"); strings.Contains(list, "busybox:latest") {
		t.Errorf("an image that was removed has come back:\n%s", list)
	}
}

package harness

import (
	"archive/tar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"podd/images/imagetest"
)

func (b *Board) SameContainer(pod string, before *corev1.Pod) {
	b.T.Helper()
	if after := b.MustPod(pod); ContainerStatus(after, "main").ContainerID != ContainerStatus(before, "main").ContainerID {
		b.T.Errorf("pod %s has another container", pod)
	}
}

// Path is what the images of these tests have for $PATH.
const Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// archives are the archives that tests load. Each is made when the first test asks for it: busybox.tar, variants.tar with
// images that say more, answerer.tar with busybox and the server that is probed, and cases.tar with busybox under every
// name that the Kubernetes examples use.
var archives = map[string]func() (string, error){
	"busybox.tar":  archiveOf("busybox.tar", func() ([]byte, error) { return imagetest.Busybox("busybox", imagetest.Config{}) }),
	"variants.tar": archiveOf("variants.tar", variantImages),
	"answerer.tar": archiveOf("answerer.tar", answererImage),
	"cases.tar":    archiveOf("cases.tar", caseImages),
}

func archiveOf(name string, images func() ([]byte, error)) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		data, err := images()
		if err != nil {
			return "", err
		}
		file := filepath.Join(Suite.dir, name)
		return file, os.WriteFile(file, data, 0o600)
	})
}

// Archive is the file of one of the archives.
func Archive(t *testing.T, name string) string {
	t.Helper()
	file, err := archives[name]()
	if err != nil {
		t.Fatalf("cannot make %s: %v", name, err)
	}
	return file
}

func variantImages() ([]byte, error) {
	files, err := imagetest.BusyboxFiles()
	if err != nil {
		return nil, err
	}
	base := imagetest.Layer{Files: files}
	show := imagetest.Layer{Files: []imagetest.File{program("bin/show", `echo "$@" $(id -u) $(pwd) $FROM`), imagetest.Dir("work/")}}
	return imagetest.DockerArchive(
		imagetest.Image{
			Names: []string{"podd.test/defaults:1"}, Layers: []imagetest.Layer{base, show},
			Config: imagetest.Config{
				Entrypoint: []string{"/bin/show", "entry"}, Cmd: []string{"cmd"}, Env: []string{Path, "FROM=from-image"},
				User: "1000", WorkingDir: "/work",
			},
		},
		imagetest.Image{
			Names: []string{"podd.test/stopsignal:1"}, Layers: []imagetest.Layer{base},
			Config: imagetest.Config{Cmd: []string{"sh"}, Env: []string{Path}, StopSignal: "SIGUSR1"},
		},
		imagetest.Image{Names: []string{"busybox:1.28"}, Layers: []imagetest.Layer{base}, Config: imagetest.Config{Cmd: []string{"sh"}, Env: []string{Path}}})
}

// Answerer is the program of the server that is probed.
var Answerer = sync.OnceValues(func() ([]byte, error) {
	program := filepath.Join(Suite.dir, "answerer")
	if err := goBuild(program, "podd/test/answerer", "-ldflags", "-s -w"); err != nil {
		return nil, err
	}
	return os.ReadFile(program)
})

// Answerer386 is the same program by the 32-bit ABI of x86.
var Answerer386 = sync.OnceValues(func() ([]byte, error) {
	program := filepath.Join(Suite.dir, "answerer-386")
	if err := goBuildFor("386", program, "podd/test/answerer", "-ldflags", "-s -w"); err != nil {
		return nil, err
	}
	return os.ReadFile(program)
})

func answererImage() ([]byte, error) {
	program, err := Answerer()
	if err != nil {
		return nil, err
	}
	return imagetest.Busybox("answerer", imagetest.Config{}, imagetest.File{Header: tar.Header{Name: "bin/answerer", Mode: 0o755}, Data: program})
}

// caseImages stand in for the examples' images: whatever they are asked to do, they wait for the end, and those whose
// examples are probed answer at the port of the real ones.
func caseImages() ([]byte, error) {
	names, err := exampleImages()
	if err != nil {
		return nil, err
	}
	answerer, err := Answerer()
	if err != nil {
		return nil, err
	}
	files, err := imagetest.BusyboxFiles()
	if err != nil {
		return nil, err
	}
	base := imagetest.Layer{Files: files}
	const wait = "trap 'exit 0' TERM; sleep 1000000 & wait $!"
	serve := imagetest.Layer{Files: []imagetest.File{
		{Header: tar.Header{Name: "bin/answerer", Mode: 0o755}, Data: answerer},
		program("bin/serve", `[ "$1" = answer ] && exec answerer -port "$2"; `+wait), program("bin/stress", wait),
		program("bin/bash", `exec sh "$@"`), program("bin/printenv", `for name; do eval echo \"\$$name\"; done`),
		program("bin/nginx", ":"), // of a hook that stops it
		program("usr/local/bin/etcd", "exec answerer -port 2379"), imagetest.Dir("usr/share/"),
	}}
	var images []imagetest.Image
	for _, name := range names {
		image := imagetest.Image{Names: []string{name}, Layers: []imagetest.Layer{base, serve}, Config: imagetest.Config{Entrypoint: []string{"/bin/serve"}, Env: []string{Path}}}
		switch {
		case strings.Contains(name, "busybox"), strings.Contains(name, "debian"), strings.Contains(name, "alpine"):
			image.Config.Entrypoint, image.Config.Cmd = nil, []string{"sh"}
		case strings.Contains(name, "redis"):
			image.Config.Entrypoint = []string{"/bin/serve", "answer", "6379"}
		case strings.Contains(name, "agnhost"), strings.Contains(name, "goproxy"):
			image.Config.Entrypoint = []string{"/bin/serve", "answer", "8080"}
		}
		images = append(images, image)
	}
	return imagetest.DockerArchive(images...)
}

// exampleImages are the names of the images that the examples use.
func exampleImages() ([]string, error) {
	index, err := os.ReadFile(filepath.Join(CasesDir, "INDEX.tsv"))
	if err != nil {
		return nil, err
	}
	names := []string{"osixia/keepalived:2.0.17"} // that of the edge's only pod
	for line := range strings.Lines(string(index)) {
		field := strings.Split(line, "\t")
		if len(field) < 5 || field[2] != "run" {
			continue
		}
		for name := range strings.FieldsSeq(field[4]) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// program is an executable shell script.
func program(name, script string) imagetest.File {
	return imagetest.File{Header: tar.Header{Name: name, Mode: 0o755}, Data: []byte("#!/bin/sh\n" + script + "\n")}
}

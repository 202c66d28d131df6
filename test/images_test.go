package test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"

	"podd/images/imagetest"
)

// path is what the images of these tests have for $PATH.
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// makeImages writes the archives that tests load: busybox.tar, variants.tar with images that say more, and cases.tar
// with busybox under every name that the Kubernetes examples use.
func makeImages(dir string) error {
	busybox, err := imagetest.Busybox("busybox", imagetest.Config{})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "busybox.tar"), busybox, 0o600); err != nil {
		return err
	}
	files, err := imagetest.BusyboxFiles()
	if err != nil {
		return err
	}
	base := imagetest.Layer{Files: files}
	show := imagetest.Layer{Files: []imagetest.File{program("bin/show", `echo "$@" $(id -u) $(pwd) $FROM`), imagetest.Dir("work/")}}
	variants, err := imagetest.DockerArchive(
		imagetest.Image{
			Names: []string{"podd.test/defaults:1"}, Layers: []imagetest.Layer{base, show},
			Config: imagetest.Config{
				Entrypoint: []string{"/bin/show", "entry"}, Cmd: []string{"cmd"}, Env: []string{path, "FROM=from-image"},
				User: "1000", WorkingDir: "/work",
			},
		},
		imagetest.Image{
			Names: []string{"podd.test/stopsignal:1"}, Layers: []imagetest.Layer{base},
			Config: imagetest.Config{Cmd: []string{"sh"}, Env: []string{path}, StopSignal: "SIGUSR1"},
		},
		imagetest.Image{Names: []string{"busybox:1.28"}, Layers: []imagetest.Layer{base}, Config: imagetest.Config{Cmd: []string{"sh"}, Env: []string{path}}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "variants.tar"), variants, 0o600); err != nil {
		return err
	}
	return makeCaseImages(dir, base)
}

// makeCaseImages stands in for the examples' images: whatever they are asked to do, they wait for the end.
func makeCaseImages(dir string, base imagetest.Layer) error {
	index, err := os.ReadFile(filepath.Join(casesDir, "INDEX.tsv"))
	if err != nil {
		return nil // the test that needs them says that the examples are not here
	}
	var names []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(index)) {
		field := strings.Split(line, "\t")
		if len(field) < 5 || field[2] != "run" {
			continue
		}
		for name := range strings.FieldsSeq(field[4]) {
			if !seen[name] {
				names = append(names, name)
			}
			seen[name] = true
		}
	}
	wait := "trap 'exit 0' TERM; sleep 1000000 & wait $!"
	serve := imagetest.Layer{Files: []imagetest.File{program("bin/serve", wait), program("bin/stress", wait), program("bin/bash", `exec sh "$@"`), program("bin/printenv", `for name; do eval echo \"\$$name\"; done`)}}
	archive, err := imagetest.DockerArchive(imagetest.Image{
		Names: names, Layers: []imagetest.Layer{base, serve},
		Config: imagetest.Config{Entrypoint: []string{"/bin/serve"}, Env: []string{path}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cases.tar"), archive, 0o600)
}

// program is an executable shell script.
func program(name, script string) imagetest.File {
	return imagetest.File{Header: tar.Header{Name: name, Mode: 0o755}, Data: []byte("#!/bin/sh\n" + script + "\n")}
}

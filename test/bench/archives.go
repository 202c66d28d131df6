package main

import (
	"archive/tar"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"podd/images/imagetest"
)

// writeArchives writes the workload as an image, and the image that loading is measured with.
func (w *workload) writeArchives() error {
	binary, err := os.ReadFile(filepath.Join(w.root, "stamp"))
	if err != nil {
		return err
	}
	small, err := imagetest.DockerArchive(imagetest.Image{
		Names: []string{image}, Config: imagetest.Config{Cmd: []string{"/stamp"}},
		Layers: []imagetest.Layer{{Files: []imagetest.File{
			imagetest.Dir("dev/"), imagetest.Dir("etc/"), imagetest.Dir("proc/"), imagetest.Dir("sys/"), imagetest.Dir("run/"), imagetest.Dir("tmp/"),
			{Header: tar.Header{Name: "stamp", Mode: 0o755}, Data: binary},
		}}},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.archive, small, 0o600); err != nil {
		return err
	}
	return writeBig(w.big, 0)
}

// writeBig makes the image that loading and pulling are measured with; each number is another one.
func writeBig(file string, number int) error {
	return writeArchive(file, fmt.Sprintf("podd.bench/big:%d", number+1), number*10, 70<<20, 30<<20, 10<<20)
}

// writeArchive makes an image of layers of these sizes, in bytes. first is the number of the first layer.
func writeArchive(file, name string, first int, sizes ...int) error {
	img := imagetest.Image{Names: []string{name}, Config: imagetest.Config{Cmd: []string{"/none"}}}
	for i, size := range sizes {
		img.Layers = append(img.Layers, bigLayer(first+i, size))
	}
	data, err := imagetest.DockerArchive(img)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// bigLayer is like a distribution's: a few thousand files of mixed sizes in nested folders, half text and half noise.
func bigLayer(number, size int) imagetest.Layer {
	random := rand.New(rand.NewPCG(uint64(number), 1))
	var layer imagetest.Layer
	for total, i := 0, 0; total < size; i++ {
		length := 1 << (8 + random.IntN(10)) // 256 bytes to 128 KiB
		data := make([]byte, length)
		for j := range data {
			if j < length/2 {
				data[j] = "the quick brown fox\n"[j%20]
			} else {
				data[j] = byte(random.Uint32())
			}
		}
		if i%40 == 0 {
			layer.Files = append(layer.Files, imagetest.Dir(fmt.Sprintf("layer%d/dir%d/", number, i/40)))
		}
		layer.Files = append(layer.Files, imagetest.File{
			Header: tar.Header{Name: fmt.Sprintf("layer%d/dir%d/file%d", number, i/40, i), Mode: 0o644}, Data: data,
		})
		total += length
	}
	return layer
}

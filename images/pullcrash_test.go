package images

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podd/images/archive"
	"podd/images/imagetest"
	"podd/images/registry"
	"podd/images/registry/registrytest"
)

// playPull pulls an image in the process that is killed, as a word of its script says: "slow" keeps what comes in the spool,
// "fail" wants it to fail, and "half" ends when half of it has come.
func playPull(s *Store, word, image string) error {
	client := impatient()
	client.Spool = s.dir("spool")
	if err := client.CleanSpool(time.Time{}, s.HasLayer); err != nil { // as podd does at its start
		return err
	}
	if word != "pull" {
		client.SlowAfter = 1
	}
	ref, err := registry.ParseReference(os.Getenv("PODD_TEST_REGISTRY") + "/" + image)
	if err != nil {
		return err
	}
	remote, err := client.Open(context.Background(), ref, nil, false)
	if err != nil {
		return err
	}
	defer remote.Close()
	o := PullOptions{Name: ref.String(), Platform: "linux/amd64"}
	if word == "half" {
		o.Watch = func(_ string, total int64, r io.Reader) io.Reader { return &exits{r, total * 19 / 20} }
	}
	root := archive.Descriptor{MediaType: remote.MediaType, Digest: remote.Digest, Size: int64(len(remote.Manifest))}
	_, err = s.Pull(context.Background(), remote, root, o)
	if word == "fail" && errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

// exits ends the process when so many bytes have been read.
type exits struct {
	io.Reader
	left int64
}

func (e *exits) Read(b []byte) (int, error) {
	if e.left <= 0 {
		os.Exit(0)
	}
	n, err := e.Reader.Read(b)
	e.left -= int64(n)
	return n, err
}

// crashReg is the registry that the killed process pulls from.
type crashReg struct {
	*registrytest.Registry

	host string
	size map[string]int64 // of the blobs of a tag
}

func crashRegistry(t *testing.T) *crashReg {
	t.Helper()
	r := &crashReg{Registry: registrytest.New(), size: map[string]int64{}}
	layer := func(name string, size int) imagetest.Layer {
		return imagetest.Layer{Files: []imagetest.File{
			imagetest.Dir("etc/"), imagetest.Regular("etc/"+name, string(noise(size, uint64(size)))), imagetest.Symlink("etc/link-"+name, name),
			imagetest.Regular("etc/.wh.gone-"+name, ""),
		}}
	}
	image := func(tag, compress string, layers ...imagetest.Layer) {
		img := imagetest.Image{Architecture: "amd64", Compress: compress, Layers: layers}
		r.Add(t, "app", tag, img)
	}
	image("v1", "gzip", layer("a", 3000), layer("b", 70_000), layer("c", 10))
	image("v2", "zstd", layer("a", 3000), layer("b", 70_000), layer("d", 20_000))
	image("big", "", layer("big", 4<<20+300<<10))
	// Its last layer is not what the manifest says, when the others are whole.
	image("bad", "gzip", layer("a", 3000), layer("b", 70_000), layer("bad", 5000))
	var m struct {
		Config struct{ Size int64 }
		Layers []struct {
			Digest string
			Size   int64
		}
	}
	read := func(tag string) {
		if err := json.Unmarshal(r.Manifest("app", tag), &m); err != nil {
			t.Fatal(err)
		}
	}
	read("bad")
	lie := append([]byte(nil), r.Blob(m.Layers[2].Digest)...)
	lie[len(lie)/2] ^= 1
	r.AddBlob(m.Layers[2].Digest, lie)
	read("big")
	r.size["big"], r.size["config"] = m.Layers[0].Size, m.Config.Size
	for tag, changed := range map[string]uint64{"d1": 7, "d2": 700} {
		chunkedOf(t, versionOfFiles(t, changed, 10, 40<<10), true).serve(t, r.Registry, tag)
	}
	r.host = r.Start(t)
	return r
}

// kept is how many bytes of layers need not come again: those of layers that are whole, and, after a kill, those of the spool.
func (r *crashReg) kept(root string, spool bool) (n int64) {
	var files []string
	for _, dir := range []string{"i", "p"} {
		found, _ := filepath.Glob(filepath.Join(root, dir, "*.json"))
		files = append(files, found...)
	}
	digests := map[string]bool{}
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for word := range strings.FieldsFuncSeq(string(data), func(c rune) bool { return strings.ContainsRune(`"{}[],`, c) }) {
			if strings.HasPrefix(word, "sha256:") {
				digests[word] = true
			}
		}
	}
	for digest := range digests {
		n += int64(len(r.Blob(digest)))
	}
	if sums, _ := filepath.Glob(filepath.Join(root, "spool", "*.sums")); spool && n == 0 {
		for _, file := range sums {
			if st, err := os.Stat(file); err == nil {
				n += st.Size() / 4 * (64 << 10)
			}
		}
	}
	return n
}

// printTrees says what each image of a store is.
func printTrees(root string) error {
	s, err := Open(root, Options{})
	if err != nil {
		return err
	}
	for _, img := range s.List() {
		sum := sha256.New()
		for _, dir := range img.Layers {
			_, _ = io.WriteString(sum, imagetest.DescribeTree(exitingTB{}, dir)) // never fails (hash.Hash)
		}
		fmt.Printf("%s %s %x\n", img.Names, img.ID, sum.Sum(nil))
	}
	return nil
}

// exitingTB is that of a process that is no test.
type exitingTB struct{ testing.TB }

func (exitingTB) Helper() {}

func (exitingTB) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}

// Package imagetest makes small image archives on the spot. It serves tests, and test/mkimage; podd itself never
// imports it.
package imagetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// File is one entry of a layer: Header.Size is filled in from Data, mode 0644 (0755 for folders) and the time of Epoch when
// left out.
type File struct {
	Header tar.Header
	Data   []byte
}

// Epoch is when everything in these archives was last changed.
var Epoch = time.Unix(1700000000, 0)

// Config is the part of an image's configuration that says how to run it, with Docker's names.
type Config struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
}

// Image is what an archive is made from.
type Image struct {
	Names        []string
	Architecture string // "" is this machine's
	Variant      string
	Config       Config
	Layers       []Layer // lowest first
	Compress     string  // of layers: "", "gzip" or "zstd"
}

// Layer is either Files or, when not nil, the Raw bytes of a tar.
type Layer struct {
	Files []File
	Raw   []byte
}

// Tar gives the bytes of a layer before compression.
func (l Layer) Tar() ([]byte, error) {
	if l.Raw != nil {
		return l.Raw, nil
	}
	return Tar(l.Files...)
}

// Tar makes a tar of files, in their order.
func Tar(files ...File) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := f.Header
		complete(&h, len(f.Data))
		if err := w.WriteHeader(&h); err != nil {
			return nil, fmt.Errorf("cannot write %s into a tar: %w", h.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("cannot write %s into a tar: %w", h.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot end a tar: %w", err)
	}
	return buf.Bytes(), nil
}

func complete(h *tar.Header, size int) {
	if h.Size == 0 {
		h.Size = int64(size)
	}
	if h.ModTime.IsZero() {
		h.ModTime = Epoch
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 && h.Typeflag == tar.TypeDir {
		h.Mode = 0o755
	}
	if h.Mode == 0 && h.Typeflag != tar.TypeDir {
		h.Mode = 0o644
	}
}

// Regular is a file with mode 0644.
func Regular(name, data string) File {
	return File{Header: tar.Header{Name: name}, Data: []byte(data)}
}

// Dir is a folder with mode 0755.
func Dir(name string) File {
	return File{Header: tar.Header{Name: name, Typeflag: tar.TypeDir}}
}

// Symlink is a symbolic link.
func Symlink(name, target string) File {
	return File{Header: tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink, Mode: 0o777}}
}

// Compress packs data with "gzip" or "zstd"; "" leaves it.
func Compress(data []byte, how string) ([]byte, error) {
	var buf bytes.Buffer
	switch how {
	case "":
		return data, nil
	case "gzip":
		w := gzip.NewWriter(&buf)
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		return buf.Bytes(), nil
	case "zstd":
		w, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		return buf.Bytes(), nil
	}
	return nil, fmt.Errorf("compression %q is neither gzip nor zstd", how)
}

// Digest is "sha256:" and the digest of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// built is an image as its blobs.
type built struct {
	config []byte
	layers [][]byte // compressed
	diffs  []string
}

func (i Image) build() (built, error) {
	var b built
	for _, l := range i.Layers {
		data, err := l.Tar()
		if err != nil {
			return b, err
		}
		b.diffs = append(b.diffs, Digest(data))
		if data, err = Compress(data, i.Compress); err != nil {
			return b, err
		}
		b.layers = append(b.layers, data)
	}
	arch := i.Architecture
	if arch == "" {
		arch = runtime.GOARCH
	}
	doc := map[string]any{
		"created": Epoch.UTC().Format(time.RFC3339), "os": "linux", "architecture": arch, "config": i.Config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": b.diffs},
	}
	if i.Variant != "" {
		doc["variant"] = i.Variant
	}
	var err error
	b.config, err = json.Marshal(doc)
	return b, err
}

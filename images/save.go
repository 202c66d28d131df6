package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"podd/images/layer"
	"podd/images/reference"
	"podd/internal/filelock"
)

// Tag gives an image one more name, which another image loses. It returns the name in full.
func (s *Store) Tag(ref, name string) (full string, err error) {
	r, err := reference.Parse(name)
	if err != nil {
		return "", err
	}
	err = s.changing(func() error {
		img, err := s.state.Load().find(ref)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.state.Load().records, func(r *record) bool { return r.ID == img.ID })
		tagged := *s.state.Load().records[i]
		tagged.Names = union(tagged.Names, []string{r.String()})
		return errors.Join(s.commits().writeImageRecord(&tagged), s.records().bumpGeneration())
	})
	return r.String(), err
}

// Save writes images as one archive that podd, podman, skopeo, ctr and docker read: an OCI layout, with docker's manifest.json
// beside it. The layers are put together from what was unpacked; each must have the digest that the image's configuration says.
// The error may come after something was written.
func (s *Store) Save(ctx context.Context, w io.Writer, refs []string) error {
	if err := s.Recheck(); err != nil {
		return err
	}
	inUse, err := filelock.Wait(s.dir("loads"), filelock.Shared, s.records().reportDamage) // no layer goes meanwhile
	if err != nil {
		return err
	}
	defer inUse.Close()
	a := &saved{blobs: map[string]bool{}, w: tar.NewWriter(w)}
	for _, ref := range refs {
		img, err := s.Get(ref)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.state.Load().records, func(r *record) bool { return r.ID == img.ID })
		if i < 0 {
			return fmt.Errorf("image %q has gone meanwhile", ref)
		}
		if err := a.add(s.state.Load().records[i], ref); err != nil {
			return fmt.Errorf("cannot save image %s: %w", img.title(), err)
		}
	}
	if err := a.documents(); err != nil {
		return fmt.Errorf("cannot save images: %w", err)
	}
	for _, l := range a.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.layer(l, s.checks().ledgerFile(l.Dir), filepath.Join(s.dir("l"), l.Dir)); err != nil {
			return fmt.Errorf("cannot save images: %w", err)
		}
	}
	return a.w.Close()
}

const (
	mediaTypeIndex    = "application/vnd.oci.image.index.v1+json"
	mediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaTypeConfig   = "application/vnd.oci.image.config.v1+json"
	mediaTypeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// saved is an archive that is being written.
type saved struct {
	w      *tar.Writer
	index  []map[string]any
	docker []map[string]any
	small  [][2]string // name and content
	layers []layer.Record
	blobs  map[string]bool
}

func blobPath(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

// ownLayers are the layers that the image came with, without a fix-up layer, which every podd makes for itself.
func (r *record) ownLayers() (list []layer.Record) {
	for _, l := range r.Layers {
		if reference.ValidDigest(l.DiffID) {
			list = append(list, l)
		}
	}
	return list
}

// plainManifest is a manifest of the image with its layers as plain tars, as they can be put together.
func (r *record) plainManifest() ([]byte, error) {
	if r.Configuration == "" {
		return nil, errors.New("an earlier podd has imported it and not kept its configuration: remove it and load it again")
	}
	layers := []map[string]any{}
	for _, l := range r.ownLayers() {
		if l.TarSize == 0 {
			return nil, errors.New("an earlier podd has imported it and not kept what its layers are made of: remove it and load it again")
		}
		layers = append(layers, map[string]any{"mediaType": mediaTypeLayer, "digest": l.DiffID, "size": l.TarSize})
	}
	return json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": mediaTypeManifest, "layers": layers,
		"config": map[string]any{"mediaType": mediaTypeConfig, "digest": r.ID, "size": len(r.Configuration)},
	})
}

func digestOf[T string | []byte](data T) string {
	sum := sha256.Sum256([]byte(data))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (a *saved) add(r *record, ref string) error {
	manifest, err := r.plainManifest()
	if err != nil {
		return err
	}
	var files []string
	for _, l := range r.ownLayers() {
		files = append(files, blobPath(l.DiffID))
		if !a.blobs[l.DiffID] {
			a.blobs[l.DiffID] = true
			a.layers = append(a.layers, l)
		}
	}
	digest := digestOf(manifest)
	a.document(blobPath(r.ID), r.Configuration)
	a.document(blobPath(digest), string(manifest))
	names := r.Names
	if name, err := reference.Parse(ref); err == nil && slices.Contains(r.Names, name.String()) {
		names = []string{name.String()}
	}
	tags := []string{}
	for _, name := range names {
		a.describe(digest, len(manifest), name)
		if !strings.Contains(name, "@") { // docker knows tags alone
			tags = append(tags, name)
		}
	}
	if len(names) == 0 {
		a.describe(digest, len(manifest), "")
	}
	a.docker = append(a.docker, map[string]any{"Config": blobPath(r.ID), "RepoTags": tags, "Layers": files})
	return nil
}

func (a *saved) describe(digest string, size int, name string) {
	d := map[string]any{"mediaType": mediaTypeManifest, "digest": digest, "size": size}
	if name != "" {
		d["annotations"] = map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
	}
	a.index = append(a.index, d)
}

func (a *saved) document(name, content string) {
	if !a.blobs[name] {
		a.blobs[name] = true
		a.small = append(a.small, [2]string{name, content})
	}
}

// documents writes all that is small.
func (a *saved) documents() error {
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": mediaTypeIndex, "manifests": a.index})
	if err != nil {
		return err
	}
	docker, err := json.Marshal(a.docker)
	if err != nil {
		return err
	}
	a.small = append(a.small, [2]string{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`}, [2]string{"index.json", string(index)}, [2]string{"manifest.json", string(docker)})
	for _, d := range a.small {
		if err := a.header(d[0], int64(len(d[1]))); err != nil {
			return err
		}
		if _, err := io.WriteString(a.w, d[1]); err != nil {
			return err
		}
	}
	return nil
}

func (a *saved) header(name string, size int64) error {
	return a.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644})
}

func (a *saved) layer(l layer.Record, ledger, dir string) error {
	if err := a.header(blobPath(l.DiffID), l.TarSize); err != nil {
		return err
	}
	sum := &summed{w: a.w, hash: sha256.New()}
	if err := layer.WriteTar(sum, ledger, dir, 0); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(sum.hash.Sum(nil)); got != l.DiffID {
		return fmt.Errorf("layer %s is not what it was: see podd images verify", l.DiffID)
	}
	return nil
}

// summed hashes what it writes.
type summed struct {
	w    io.Writer
	hash hash.Hash
}

func (s *summed) Write(b []byte) (int, error) {
	_, _ = s.hash.Write(b) // never fails (hash.Hash)
	return s.w.Write(b)
}

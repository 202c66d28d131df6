package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"

	"podd/images/fault"
	"podd/images/layer"
	"podd/internal/boundedjson"
)

// Source gives the parts of one image of a registry by their digests.
type Source interface {
	// Document reads a manifest or an index, or else a configuration. What it gives has the digest.
	Document(ctx context.Context, digest string, manifest bool) ([]byte, error)
	// Layer opens a layer. What is read of it is not verified. size is what the manifest promises, 0: nothing.
	Layer(ctx context.Context, digest string, size int64) (io.ReadCloser, error)
	// Range opens a part of a layer of size bytes, from from to before to. What is read of it is not verified.
	Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error)
	// Forget drops what the source keeps of a layer to go on with.
	Forget(digest string)
}

// maxRemoteDocuments bounds what an index may make podd fetch; one with all platforms of a distribution has twenty.
const maxRemoteDocuments = 64

// remote is an image of a registry, seen as an archive with an OCI layout.
type remote struct {
	ctx     context.Context //nolint:containedctx // Document has none: archives answer at once
	src     Source
	root    Descriptor
	name    string
	tell    func(digest string, total int64, r io.Reader) io.Reader
	kinds   map[string]bool // of digests: it is a manifest
	sizes   map[string]int64
	fetched int
}

// Descriptor points to the manifest, or index, of an image.
type Descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// OpenRemote shows an image of a registry as an archive that has this one image with this name. watch, which may be nil, wraps the reader of each layer.
func OpenRemote(
	ctx context.Context, src Source, root Descriptor, name string, watch func(digest string, total int64, r io.Reader) io.Reader,
) Archive {
	return &remote{
		ctx: ctx, src: src, root: root, name: name, tell: watch, kinds: map[string]bool{root.Digest: true}, sizes: map[string]int64{},
	}
}

// Document implements Archive.
func (a *remote) Document(name string) ([]byte, error) {
	if name == "index.json" {
		d := map[string]any{
			"mediaType": a.root.MediaType, "digest": a.root.Digest, "size": a.root.Size,
			"annotations": map[string]string{"io.containerd.image.name": a.name},
		}
		return json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{d}})
	}
	hex, ok := strings.CutPrefix(name, "blobs/sha256/")
	if !ok {
		return nil, fs.ErrNotExist
	}
	if a.fetched++; a.fetched > maxRemoteDocuments {
		return nil, fault.Refusef("its index leads to more than %d documents", maxRemoteDocuments)
	}
	digest := "sha256:" + hex
	data, err := a.src.Document(a.ctx, digest, a.kinds[digest])
	if err != nil {
		return nil, err
	}
	if a.kinds[digest] {
		a.note(data)
	}
	return data, nil
}

// note remembers what a manifest leads to.
func (a *remote) note(data []byte) {
	var doc ociDocument
	if boundedjson.Unmarshal(data, &doc) != nil {
		return // whoever asked for it says so
	}
	for _, d := range doc.Manifests {
		a.kinds[d.Digest] = true
	}
	for _, d := range doc.Layers {
		a.sizes[d.Digest] = max(d.Size, 0)
	}
}

// Layer implements Archive. It may be called from several goroutines at once.
func (a *remote) Layer(ctx context.Context, name string, st *layer.Staging) (*layer.Staged, error) {
	digest := "sha256:" + strings.TrimPrefix(name, "blobs/sha256/")
	r, err := a.src.Layer(ctx, digest, a.sizes[digest])
	if err != nil {
		return nil, err
	}
	var in io.Reader = r
	if a.tell != nil {
		in = a.tell(digest, a.sizes[digest], r)
	}
	l, err := st.Unpack(ctx, in)
	_ = r.Close() // the digest tells whether all has come
	switch {
	case err == nil && l.BlobID != digest:
		a.src.Forget(digest)
		return nil, fault.Refusef("its file has the digest %s where the manifest says %s", l.BlobID, digest)
	case errors.Is(err, fault.ErrRefused), errors.Is(err, fault.ErrTruncated):
		a.src.Forget(digest) // more of it would not make it better
	}
	return l, err
}

// Whole implements Archive.
func (a *remote) Whole() bool { return true }

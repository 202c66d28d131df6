package archive

import (
	"context"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"

	"podd/images/trust"
	"podd/internal/boundedjson"
)

// Signatures are those that an OCI layout has beside an image, as "cosign save" and "oras copy -r" write it. They are believed
// by nobody before a policy has verified them; what cannot be read is passed over.
func Signatures(ctx context.Context, a Archive, c *Image) []trust.Signature {
	data, err := a.Document("index.json")
	if err != nil || len(c.Digests) == 0 {
		return nil
	}
	var index struct {
		Manifests []beside `json:"manifests"`
	}
	if boundedjson.Unmarshal(data, &index) != nil || len(index.Manifests) < 2 {
		return nil
	}
	found, _ := trust.Collect(ctx, besides{a, index.Manifests}, "", c.Digests, "")
	return found
}

// beside is a manifest of an OCI layout that may be a signature.
type beside struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
}

// besides shows an OCI layout as a registry of signatures.
type besides struct {
	a    Archive
	list []beside
}

const cosignKind = "dev.cosignproject.cosign/sigs" // of the annotation "kind"

// Manifest implements trust.Registry: a layout has tags in annotations.
func (b besides) Manifest(_ context.Context, _, at string, limit int64) ([]byte, error) {
	for _, d := range b.list {
		name := d.Annotations["org.opencontainers.image.ref.name"]
		tagged := name == at || strings.HasSuffix(name, ":"+at)
		if d.Digest == at || tagged || d.Annotations["kind"] == cosignKind && strings.HasSuffix(at, ".sig") {
			return b.blob(d.Digest, limit)
		}
	}
	return nil, fs.ErrNotExist
}

// Blob implements trust.Registry.
func (b besides) Blob(_ context.Context, _, digest string, limit int64) ([]byte, error) {
	return b.blob(digest, limit)
}

func (b besides) blob(digest string, limit int64) ([]byte, error) {
	data, err := readBlob(b.a, descriptor{Digest: digest})
	if err == nil && int64(len(data)) > limit {
		return nil, fs.ErrNotExist
	}
	return data, err
}

// Referrers implements trust.Registry: what has the image as its subject.
func (b besides) Referrers(_ context.Context, _, digest string, limit int64) ([]byte, error) {
	var found []beside
	for _, d := range b.list {
		data, err := b.blob(d.Digest, limit)
		if err != nil {
			continue
		}
		var doc struct {
			ArtifactType string                     `json:"artifactType"`
			Config       struct{ MediaType string } `json:"config"`
			Subject      struct{ Digest string }    `json:"subject"`
		}
		if boundedjson.Unmarshal(data, &doc) != nil || doc.Subject.Digest != digest {
			continue
		}
		if d.ArtifactType = doc.ArtifactType; d.ArtifactType == "" {
			d.ArtifactType = doc.Config.MediaType
		}
		if !slices.ContainsFunc(found, func(f beside) bool { return f.Digest == d.Digest }) {
			found = append(found, d)
		}
	}
	return json.Marshal(map[string]any{"manifests": found})
}

// URL implements trust.Registry.
func (besides) URL(context.Context, string, int64) ([]byte, error) { return nil, fs.ErrNotExist }

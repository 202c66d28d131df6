package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"strings"

	"podd/internal/boundedjson"
)

// Registry fetches what may hold signatures. A missing thing is fs.ErrNotExist. What it gives has been verified by its
// digest where that is known, and is at most limit bytes long.
type Registry interface {
	// Manifest fetches a manifest or an index of a repository by its tag or digest.
	Manifest(ctx context.Context, repository, tagOrDigest string, limit int64) ([]byte, error)
	// Blob fetches a blob of a repository.
	Blob(ctx context.Context, repository, digest string, limit int64) ([]byte, error)
	// Referrers fetches the index of what refers to a digest (OCI distribution specification 1.1).
	Referrers(ctx context.Context, repository, digest string, limit int64) ([]byte, error)
	// URL fetches a file of a lookaside store, by http, https or file.
	URL(ctx context.Context, address string, limit int64) ([]byte, error)
}

// Limits of what is fetched for one image.
const (
	maxManifest  = 1 << 20
	maxReferrers = 64
	maxLookaside = 32
)

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
}

type document struct {
	ArtifactType string       `json:"artifactType"`
	Config       *descriptor  `json:"config"`
	Manifests    []descriptor `json:"manifests"`
	Layers       []descriptor `json:"layers"`
	Subject      *descriptor  `json:"subject"`
}

// Collect fetches all signatures of an image: for each of its digests cosign's tag "sha256-<hex>.sig", the referrers, and
// the lookaside store if there is one. Signatures that are found count even if others could not be fetched; the error is
// that of the registry and not the lack of a signature.
func Collect(ctx context.Context, registry Registry, repository string, digests []string, lookaside string) ([]Signature, error) {
	c := &collection{registry, repository, nil}
	var errs []error
	for _, digest := range digests {
		errs = append(errs, c.tagged(ctx, digest), c.referring(ctx, digest), c.beside(ctx, digest, lookaside))
	}
	if len(c.found) > 0 {
		return c.found, nil
	}
	return nil, errors.Join(errs...)
}

type collection struct {
	registry   Registry
	repository string
	found      []Signature
}

func (c *collection) add(more ...Signature) { c.found = Merge(c.found, more) }

// TagOf is the tag below which cosign keeps the signatures of a digest.
func TagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

func (c *collection) tagged(ctx context.Context, digest string) error {
	data, err := c.registry.Manifest(ctx, c.repository, TagOf(digest), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot fetch the signatures of %s: %w", digest, err)
	}
	return c.manifest(ctx, data)
}

// manifest takes the signatures out of one manifest. What is no signature is passed over.
func (c *collection) manifest(ctx context.Context, data []byte) error {
	var doc document
	if boundedjson.Unmarshal(data, &doc) != nil {
		return nil
	}
	for i, l := range doc.Layers {
		bundle := strings.HasPrefix(l.MediaType, bundlePrefix)
		if i >= maxSignatures || l.MediaType != simpleSigning && !bundle {
			continue
		}
		blob, err := c.registry.Blob(ctx, c.repository, l.Digest, maxPayload)
		if err != nil {
			return fmt.Errorf("cannot fetch a signature: %w", err)
		}
		if bundle {
			more, _ := ofBundle(blob)
			c.add(more...)
		} else if s, err := ofLayer(l.MediaType, l.Annotations, blob); err == nil {
			c.add(s)
		}
	}
	return nil
}

func (c *collection) referring(ctx context.Context, digest string) error {
	data, err := c.registry.Referrers(ctx, c.repository, digest, maxManifest)
	if errors.Is(err, fs.ErrNotExist) { // a registry of before 1.1: clients keep an index below a tag
		data, err = c.registry.Manifest(ctx, c.repository, strings.Replace(digest, ":", "-", 1), maxManifest)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot fetch what refers to %s: %w", digest, err)
	}
	var index document
	if boundedjson.Unmarshal(data, &index) != nil {
		return nil
	}
	for i, d := range index.Manifests {
		if i >= maxReferrers || !strings.HasPrefix(d.ArtifactType, bundlePrefix) && d.ArtifactType != artifactSignature {
			continue
		}
		data, err := c.registry.Manifest(ctx, c.repository, d.Digest, maxManifest)
		if err == nil {
			err = c.manifest(ctx, data)
		}
		if err != nil {
			return fmt.Errorf("cannot fetch what refers to %s: %w", digest, err)
		}
	}
	return nil
}

// beside reads signature-1, signature-2 and so on, to the first that is missing (containers-registries.d(5)).
func (c *collection) beside(ctx context.Context, digest, base string) error {
	if base == "" {
		return nil
	}
	_, path, _ := strings.Cut(c.repository, "/")
	folder := strings.TrimSuffix(base, "/") + "/" + (&url.URL{Path: path}).EscapedPath() + "@" + strings.Replace(digest, ":", "=", 1)
	for n := 1; n <= maxLookaside; n++ {
		data, err := c.registry.URL(ctx, folder+"/signature-"+strconv.Itoa(n), maxPayload)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot fetch signatures from %s: %w", base, err)
		}
		if s, ok, _ := ofLookaside(data); ok {
			c.add(s)
		}
	}
	return nil
}

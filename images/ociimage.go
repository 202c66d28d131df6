package images

import (
	"encoding/json"
	"strings"
)

// image reads one manifest; nil when it is no image, or one for another machine.
func (w *ociWalk) image(l leaf) (*candidate, error) {
	doc, err := w.read(l.descriptor)
	if err != nil {
		return nil, err
	}
	if doc.Config == nil || !isImageConfig(doc.Config.MediaType) {
		return nil, nil
	}
	data, err := readBlob(w.a, *doc.Config)
	if isMissing(err) {
		return nil, missing(w.a, "the image's configuration", doc.Config.Digest)
	}
	if err != nil {
		return nil, err
	}
	layers := make([]layerRef, len(doc.Layers))
	for i, d := range doc.Layers {
		if !validDigest(d.Digest) {
			return nil, refusef("layer %d has the digest %q, which is no sha256 digest", i+1, clip(d.Digest))
		}
		layers[i] = layerRef{name: blobName(d.Digest), blob: d.Digest, size: d.Size}
	}
	c, err := newCandidate(data, layers)
	if err != nil {
		return nil, err
	}
	c.Digests = l.digests
	if c.fits(w.want) < 0 {
		w.other(c.Platform)
		return nil, nil
	}
	return c, nil
}

// isImageConfig tells images from the other things that are kept as manifests today (charts, signatures, attestations).
func isImageConfig(mediaType string) bool {
	return mediaType == "" || strings.HasPrefix(mediaType, "application/vnd.oci.image.config.v1+json") ||
		strings.HasPrefix(mediaType, "application/vnd.docker.container.image.v1+json")
}

func (w *ociWalk) read(d descriptor) (*ociDocument, error) {
	data, err := readBlob(w.a, d)
	if err != nil {
		return nil, err
	}
	doc := new(ociDocument)
	if err := json.Unmarshal(data, doc); err != nil {
		return nil, refusef("manifest %s is no valid JSON (%v)", d.Digest, err)
	}
	return doc, nil
}

func blobName(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

// readBlob reads a document and verifies it.
func readBlob(a archive, d descriptor) ([]byte, error) {
	if !validDigest(d.Digest) {
		return nil, refusef("it names a blob by %q, which is no sha256 digest", clip(d.Digest))
	}
	data, err := a.document(blobName(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := digestBytes(data); got != d.Digest {
		return nil, refusef("blob %s has the digest %s", d.Digest, got)
	}
	if d.Size > 0 && d.Size != int64(len(data)) {
		return nil, refusef("blob %s is %d bytes long instead of %d", d.Digest, len(data), d.Size)
	}
	return data, nil
}

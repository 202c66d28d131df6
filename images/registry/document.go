package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"podd/internal/boundedjson"
)

// maxDocument bounds a manifest, an index and a configuration, as the import of archives does.
const maxDocument = 4 << 20

// The documents that podd reads.
var acceptManifest = []string{
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
}

// resolve reads the manifest or index that a reference names.
func (s *session) resolve(ctx context.Context, ref Reference) (*Image, error) {
	data, header, err := s.get(ctx, HopManifest, "manifests/"+ref.version(), acceptManifest)
	if err != nil {
		return nil, err
	}
	img := &Image{Reference: ref, Host: s.e.name(), Manifest: data, Digest: digestOf(data), s: s}
	if s.asked.Load() {
		img.Used = s.used
	}
	img.Public = img.Used.empty() && len(s.e.certificates) == 0 && s.e.header.Get("Authorization") == ""
	if ref.Digest != "" && img.Digest != ref.Digest {
		return nil, refuse(HopDigest, s.e.name(), "it was asked for %s and gives %s", ref.Digest, img.Digest)
	}
	if said := header.Get("Docker-Content-Digest"); ref.Digest == "" && strings.HasPrefix(said, "sha256:") && said != img.Digest {
		return nil, refuse(HopDigest, s.e.name(), "it says that the manifest has the digest %s, and it has %s", clip(said, 80), img.Digest)
	}
	img.MediaType, err = mediaTypeOf(data, header)
	if err != nil {
		return nil, refuse(HopManifest, s.e.name(), "%v", err)
	}
	return img, nil
}

// mediaTypeOf tells what kind of document a registry has given: what the document says of itself, then the header.
func mediaTypeOf(data []byte, header http.Header) (string, error) {
	said, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if said == "text/html" || bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return "", errors.New("it answers with a web page and not with a manifest: is it a registry, or does a login page of the network stand before it")
	}
	var doc struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		FSLayers      json.RawMessage `json:"fsLayers"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := boundedjson.Unmarshal(data, &doc); err != nil {
		return "", fmt.Errorf("what it gives is no manifest (%v)", err)
	}
	if doc.SchemaVersion == 1 || doc.FSLayers != nil || strings.Contains(said, "manifest.v1") && strings.Contains(said, "docker") {
		return "", errors.New("the image is of the old format schema 1, which Docker gave up in 2015: push it again with a newer tool")
	}
	if doc.MediaType == "" {
		doc.MediaType = said
	}
	return doc.MediaType, nil
}

// Document reads a manifest, an index or a configuration by its digest, and verifies it.
func (i *Image) Document(ctx context.Context, digest string, manifest bool) ([]byte, error) {
	if digest == i.Digest {
		return i.Manifest, nil
	}
	hop, path, accept := HopBlob, "blobs/"+digest, []string(nil)
	if manifest {
		hop, path, accept = HopManifest, "manifests/"+digest, acceptManifest
	}
	data, _, err := i.s.get(ctx, hop, path, accept)
	if err != nil {
		return nil, err
	}
	if got := digestOf(data); got != digest {
		return nil, refuse(HopDigest, i.Host, "it was asked for %s and gives %s", digest, got)
	}
	return data, nil
}

// get reads a document. One that breaks off is asked for again as a whole.
func (s *session) get(ctx context.Context, hop Hop, path string, accept []string) ([]byte, http.Header, error) {
	patience := s.patience
	for try := 1; ; try++ {
		data, header, err := s.getOnce(ctx, path, accept)
		if err == nil {
			return data, header, nil
		}
		var broken *brokenBody
		if !errors.As(err, &broken) || try >= patience.Tries {
			return nil, nil, s.c.explain(hop, s.e.name(), err)
		}
		if err := sleep(ctx, patience.delay(try)); err != nil {
			return nil, nil, err
		}
	}
}

// brokenBody is a body that did not come to its end.
type brokenBody struct{ error }

func (b *brokenBody) Unwrap() error { return b.error }

func (s *session) getOnce(ctx context.Context, path string, accept []string) ([]byte, http.Header, error) {
	req, err := s.request(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	if len(accept) > 0 {
		req.Header.Set("Accept", strings.Join(accept, ","))
	}
	resp, err := s.do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil && resp.ContentLength >= 0 && int64(len(data)) < min(resp.ContentLength, maxDocument+1) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, nil, &brokenBody{err}
	}
	if len(data) > maxDocument {
		return nil, nil, refuse(HopManifest, s.e.name(), "the document %s is larger than %d MiB", clip(path, 100), maxDocument>>20)
	}
	return data, resp.Header, nil
}

// request asks for something of the repository.
func (s *session) request(ctx context.Context, path string) (*http.Request, error) {
	u := *s.e.base
	u.Path += "/" + s.e.repo + "/" + path
	ctx = context.WithValue(ctx, afterKey{}, &retryAfter{})
	return http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawQuery: s.e.query}).String(), nil)
}

// do sends a request. Of a peer no answer is waited for that drips, be it an error's: a registry is likely to be sooner.
func (s *session) do(req *http.Request) (*http.Response, error) {
	resp, err := s.http.Do(req)
	if err == nil && s.peer {
		resp.Body = &paced{ReadCloser: resp.Body, c: s.c}
	}
	return resp, err
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

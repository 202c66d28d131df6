package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Attached gives what a registry keeps beside images: signatures and what else refers to them. A thing that is missing is
// fs.ErrNotExist. It implements trust.Registry.
type Attached struct{ s *session }

// Attached is what the image's own registry keeps beside it.
func (i *Image) Attached() Attached { return Attached{i.s} }

// Beside shakes hands with the registry of an image without asking for the image itself.
func (c *Client) Beside(ctx context.Context, ref Reference, keys Keyring) (a Attached, close func(), err error) {
	endpoints, err := c.Hosts.endpoints(ref)
	if err != nil {
		return Attached{}, nil, err
	}
	err = &Error{Hop: HopName, Host: ref.Domain, Text: "no host is configured that gives this image", Remedy: "look at registries.conf and hosts.toml"}
	for _, e := range endpoints {
		creds := append(Keyrings{keys, c.Node}.Lookup(ctx, e.location()), Credential{})
		for _, cred := range creds {
			s, cerr := c.connect(ctx, e, cred, c.Patience.filled())
			if cerr == nil {
				return Attached{s}, s.pooled.CloseIdleConnections, nil
			}
			if err = cerr; !errors.Is(cerr, ErrUnauthorized) {
				break
			}
		}
	}
	return Attached{}, nil, err
}

// Manifest fetches a manifest or an index by its tag or digest.
func (a Attached) Manifest(ctx context.Context, _, tagOrDigest string, limit int64) ([]byte, error) {
	data, _, err := a.s.get(ctx, HopManifest, "manifests/"+tagOrDigest, acceptManifest)
	return a.check(data, tagOrDigest, limit, err)
}

// Blob fetches a small blob.
func (a Attached) Blob(ctx context.Context, _, digest string, limit int64) ([]byte, error) {
	data, _, err := a.s.get(ctx, HopBlob, "blobs/"+digest, nil)
	return a.check(data, digest, limit, err)
}

// Referrers fetches the index of what refers to a digest (OCI distribution specification 1.1). A registry of before does not
// know the question.
func (a Attached) Referrers(ctx context.Context, _, digest string, limit int64) ([]byte, error) {
	data, _, err := a.s.get(ctx, HopManifest, "referrers/"+digest, acceptManifest[:1])
	var status *transport.Error
	if errors.As(err, &status) {
		switch status.StatusCode {
		case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented:
			return nil, fs.ErrNotExist
		}
	}
	return a.check(data, "", limit, err)
}

func (a Attached) check(data []byte, at string, limit int64, err error) ([]byte, error) {
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, refuse(HopManifest, a.s.e.name(), "what is attached to the image (%s) is larger than %d bytes", clip(at, 100), limit)
	case len(at) > 7 && at[:7] == "sha256:" && digestOf(data) != at:
		return nil, refuse(HopDigest, a.s.e.name(), "it was asked for %s and gives %s", at, digestOf(data))
	}
	return data, nil
}

// Layer opens a blob of any size, which goes on where it stops. What is read is not verified.
func (a Attached) Layer(ctx context.Context, digest string) io.ReadCloser {
	return &blob{ctx: ctx, s: a.s, digest: digest}
}

// URL fetches a file of a lookaside store, by http, https or file.
func (a Attached) URL(ctx context.Context, address string, limit int64) ([]byte, error) {
	return a.s.c.Lookaside(ctx, address, limit)
}

// Lookaside fetches a file of a store of signatures, by http, https or file. A missing one is fs.ErrNotExist.
func (c *Client) Lookaside(ctx context.Context, address string, limit int64) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch a signature: %w", err)
	}
	if u.Scheme == "file" {
		f, err := os.Open(u.Path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		return atMost(f, limit)
	}
	patience := c.Patience.filled()
	pool := c.transport(&endpoint{base: u}, patience)
	defer pool.CloseIdleConnections()
	// Who configures http:// for signatures means it: they are verified anyway.
	w := &wire{base: pool, patience: patience, plain: func(string) bool { return u.Scheme == "http" }, agent: c.agent()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: w, CheckRedirect: checkRedirect(w.plain)}).Do(req)
	if err != nil {
		return nil, c.explain(HopConnect, u.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return atMost(resp.Body, limit)
	case http.StatusNotFound, http.StatusGone:
		return nil, fs.ErrNotExist
	}
	return nil, c.explain(HopBlob, u.Host, transport.CheckError(resp, http.StatusOK))
}

func atMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("a signature is larger than %d bytes", limit)
	}
	return data, err
}

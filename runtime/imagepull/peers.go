package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"podd/images"
	"podd/images/archive"
	"podd/images/registry"
	"podd/images/trust"
)

// origin is where an image comes from: what neighbours have of it, and the registry for all else.
type origin struct {
	near *registry.Near
	root archive.Descriptor
	data []byte // of root
	host string // that root came from
	peer string // which is a peer; "": it is the registry

	mu     sync.Mutex
	remote *registry.Image // nil: the registry has not been asked yet
	open   func(ctx context.Context) (*registry.Image, error)
	err    error // why it does not answer
}

// resolve finds an image. What a name with a digest stands for, a peer may say: the digest tells. What a tag stands for, the
// registry says, and a peer only where the owner of the board wants it so and the registry does not answer. With credentials
// of its own, a pod is always referred to the registry, which knows whether they are good.
func (p *Puller) resolve(ctx context.Context, ref registry.Reference, r Request, settings Settings) (*origin, error) {
	o := &origin{near: p.Peers.Near(ctx, ref)}
	o.open = func(ctx context.Context) (*registry.Image, error) {
		return p.Client.Open(ctx, ref, r.Keyring, r.Present)
	}
	keys := r.Keyring != nil && len(r.Keyring.Lookup(ctx, ref.Repository())) > 0
	if ref.Digest != "" && !keys && o.takePeers(ctx) {
		return o, nil
	}
	img, err := o.registry(ctx)
	if err == nil {
		o.take(img)
		return o, nil
	}
	away := errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrClock)
	if away && !r.Present && (ref.Digest != "" || settings.PeerTags) && o.takePeers(ctx) {
		return o, nil
	}
	o.close()
	return nil, err
}

func (o *origin) take(img *registry.Image) {
	o.root = archive.Descriptor{MediaType: img.MediaType, Digest: img.Digest, Size: int64(len(img.Manifest))}
	o.data, o.host = img.Manifest, img.Host
}

func (o *origin) takePeers(ctx context.Context) bool {
	img, address := o.near.Resolve(ctx)
	if img == nil {
		return false
	}
	o.take(img)
	o.peer = address
	return true
}

func (o *origin) close() {
	o.near.Close()
	if o.remote != nil {
		o.remote.Close()
	}
}

// registry is the image where its name leads to. It is asked for once.
func (o *origin) registry(ctx context.Context) (*registry.Image, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.remote == nil && o.err == nil {
		o.remote, o.err = o.open(ctx)
	}
	return o.remote, o.err
}

// attached is what the registry keeps beside the image; nil: it is to be asked for that.
func (o *origin) attached() trust.Registry {
	if o.peer != "" {
		return nil
	}
	return o.remote.Attached()
}

// used is the credential that an image was given for, as far as it is known, and whether everybody gets it. Where a peer has
// given it in the registry's place, it is for those who have the same credentials as the pod.
func (o *origin) used(ctx context.Context, keys registry.Keyring, repository string) (used registry.Credential, public bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.peer == "" {
		return o.remote.Used, o.remote.Public
	}
	if keys != nil {
		if list := keys.Lookup(ctx, repository); len(list) > 0 {
			return list[0], false
		}
	}
	return registry.Credential{}, false
}

// Document implements archive.Source.
func (o *origin) Document(ctx context.Context, digest string, manifest bool) ([]byte, error) {
	if digest == o.root.Digest {
		return o.data, nil
	}
	if data := o.near.Document(ctx, digest, manifest); data != nil {
		return data, nil
	}
	img, err := o.registry(ctx)
	if err != nil {
		return nil, err
	}
	return img.Document(ctx, digest, manifest)
}

// Layer implements archive.Source.
func (o *origin) Layer(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	img, err := o.registry(ctx)
	if err != nil {
		return nil, err
	}
	return img.Layer(ctx, digest, size)
}

// Range implements archive.Source.
func (o *origin) Range(ctx context.Context, digest string, size, from, to int64) (io.ReadCloser, error) {
	img, err := o.registry(ctx)
	if err != nil {
		return nil, err
	}
	return img.Range(ctx, digest, size, from, to)
}

// Forget implements archive.Source.
func (o *origin) Forget(digest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.remote != nil {
		o.remote.Forget(digest)
	}
}

// plain asks the peers for a layer.
func (o *origin) plain(ctx context.Context, diffID string, most int64) *images.PlainLayer {
	l := o.near.Layer(ctx, diffID, most)
	if l == nil {
		return nil
	}
	return &images.PlainLayer{ReadCloser: l.ReadCloser, Size: l.Size, Refuse: l.Refuse}
}

// note says what of the image came from peers; "": nothing did.
func (o *origin) note() string {
	gave := o.near.Gave()
	switch {
	case o.peer != "" && o.err != nil:
		return "it is what the peer " + o.peer + " has by this name, as the registry does not answer: " + o.err.Error()
	case len(gave) > 0:
		return "parts of it came from " + strings.Join(gave, ", ")
	}
	return ""
}

// PeerLayer opens a layer of an image that is there, if a peer has it, as images.LayerSource.
func (p *Puller) PeerLayer(ctx context.Context, img images.Image, diffID, _ string) (io.ReadCloser, error) {
	for _, name := range img.Names {
		ref, err := registry.ParseReference(name)
		if err != nil {
			continue
		}
		near := p.Peers.Near(ctx, ref)
		if l := near.Layer(ctx, diffID, 1<<62); l != nil {
			return &closing{l.ReadCloser, near.Close}, nil
		}
		near.Close()
		break // all names are known to the same peers
	}
	return nil, fmt.Errorf("no peer has the layer %s: %w", diffID, registry.ErrNotFound)
}

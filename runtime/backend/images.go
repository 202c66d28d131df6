package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"podd/images"
	"podd/images/reference"
	"podd/runtime/api"
	"podd/runtime/imagepull"
)

// Images lists the images of the store.
func (b *Backend) Images() []api.ImageInfo {
	var list []api.ImageInfo
	for _, i := range b.ImageStore.List() {
		list = append(list, imageInfo(i))
	}
	return list
}

func imageInfo(i images.Image) api.ImageInfo {
	return api.ImageInfo{ID: i.ID, Names: i.Names, Digest: i.Digest, Size: i.Size, Created: i.Created, Platform: i.Platform, SignedBy: i.SignedBy}
}

// LoadImage reads an archive into the store and wakes the pods that wait for an image.
func (b *Backend) LoadImage(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	loaded, err := b.ImageStore.Load(ctx, r, images.LoadOptions{Name: o.Name, Source: o.Source, Read: o.Read})
	b.Runtime.ImagesChanged()
	var list []api.ImageInfo
	for _, i := range loaded {
		list = append(list, imageInfo(i))
	}
	return list, imageError(err)
}

// PullImage brings an image from a registry, with the node's credentials, and wakes the pods that wait for one.
func (b *Backend) PullImage(ctx context.Context, o api.ImagePull, step func(api.PullStep)) (api.ImageInfo, error) {
	if !b.Puller.CanPull() {
		return api.ImageInfo{}, api.AsBadRequest(errors.New("images are not pulled on this board: set pullImages: true in the configuration"))
	}
	out := b.Puller.Pull(ctx, imagepull.Request{Image: o.Name, Platform: o.Platform, ByHand: true, Watch: func(p imagepull.Progress) {
		step(api.PullStep{Status: p.Status, Host: p.Host, Layer: p.Layer, Current: p.Current, Total: p.Total})
	}})
	b.Runtime.ImagesChanged()
	if out.Err != nil {
		return api.ImageInfo{}, fmt.Errorf("cannot pull %s: %w", reference.Hide(o.Name), out.Err)
	}
	return imageInfo(out.Image), nil
}

// RemoveImage removes an image that no container runs from and no volume shows.
func (b *Backend) RemoveImage(ref string) ([]string, error) {
	used, err := b.Runtime.ImageUse(context.Background())
	if err != nil {
		return nil, err
	}
	removed, err := b.ImageStore.Remove(ref, func(id string) bool { return used.IDs[id] })
	return removed, imageError(err)
}

// imageError gives the sentences of the image store their codes.
func imageError(err error) error {
	switch {
	case errors.Is(err, images.ErrNotFound):
		return api.AsNotFound(err)
	case errors.Is(err, images.ErrInUse):
		return api.AsConflict(err)
	case errors.Is(err, images.ErrRefused), errors.Is(err, images.ErrTruncated), errors.Is(err, images.ErrPlatform), errors.Is(err, images.ErrBadName):
		return api.AsBadRequest(err)
	}
	return err
}

// SaveImages writes images as one archive.
func (b *Backend) SaveImages(ctx context.Context, refs []string, w io.Writer) error {
	return imageError(b.ImageStore.Save(ctx, w, refs))
}

// TagImage gives an image one more name.
func (b *Backend) TagImage(_ context.Context, ref, name string) (string, error) {
	full, err := b.ImageStore.Tag(ref, name)
	b.Runtime.ImagesChanged()
	return full, imageError(err)
}

// PinImage keeps an image from being collected, or lets it go again.
func (b *Backend) PinImage(_ context.Context, ref string, pin bool) (pinned string, err error) {
	if pin {
		pinned, err = b.ImageStore.Pin(ref)
	} else {
		pinned, err = b.ImageStore.Unpin(ref)
	}
	return pinned, imageError(err)
}

// PruneImages removes images that no pod, no manifest, no archive of the folder and no pin keeps.
func (b *Backend) PruneImages(ctx context.Context, o api.ImagePrune) (api.ImagesPruned, error) {
	use, err := b.Runtime.ImageNeeds(ctx)
	if err != nil {
		return api.ImagesPruned{}, err
	}
	c, err := b.ImageStore.Collect(images.CollectOptions{
		Needs: images.Needs{IDs: use.IDs, Names: use.Names}, Now: time.Now(), All: o.All, Nameless: !o.All, DryRun: o.DryRun,
	})
	b.Runtime.ImagesChanged()
	return api.ImagesPruned{Removed: c.Removed, Freed: c.Freed}, err
}

// VerifyImages compares all files of images with what they were, and mends them from the folder of archives, or from
// their registries with the node's credentials.
func (b *Backend) VerifyImages(ctx context.Context, o api.ImageVerify, report func(api.LayerVerified)) error {
	var sources []images.LayerSource
	if b.Puller.CanPull() {
		sources = append(sources, b.Puller.PeerLayer, b.Puller.Layer)
	}
	err := b.ImageStore.Verify(ctx, images.VerifyOptions{Refs: o.Refs, Repair: o.Repair, Sources: sources, Report: func(v images.Verified) {
		l := api.LayerVerified{Layer: v.Layer, Images: v.Images, Mended: v.Mended}
		for _, d := range v.Differences {
			l.Differences = append(l.Differences, api.FileDifference{Path: d.Path, Problem: d.Problem})
		}
		if v.Err != nil {
			l.Error = v.Err.Error()
		}
		report(l)
	}})
	b.Runtime.ImagesChanged()
	return imageError(err)
}

// ImageLayers says what an image is made of.
func (b *Backend) ImageLayers(_ context.Context, ref string) (api.ImageLayers, error) {
	d, err := b.ImageStore.Details(ref)
	if err != nil {
		return api.ImageLayers{}, imageError(err)
	}
	out := api.ImageLayers{ImageInfo: imageInfo(d.Image), Configuration: []byte(d.Configuration), Manifest: []byte(d.Manifest)}
	for _, l := range d.LayerList {
		out.Layers = append(out.Layers, api.LayerInfo{DiffID: l.DiffID, Blob: l.Blob, Size: l.Size, Shared: l.Shared})
	}
	return out, nil
}

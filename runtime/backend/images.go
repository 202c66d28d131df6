package backend

import (
	"context"
	"errors"
	"io"

	"podd/images"
	"podd/runtime/api"
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
	return api.ImageInfo{ID: i.ID, Names: i.Names, Digest: i.Digest, Size: i.Size, Created: i.Created, Platform: i.Platform}
}

// LoadImage reads an archive into the store and wakes the pods that wait for an image.
func (b *Backend) LoadImage(ctx context.Context, r io.Reader, o api.ImageLoad) ([]api.ImageInfo, error) {
	loaded, err := b.ImageStore.Load(ctx, r, images.LoadOptions{Name: o.Name})
	b.Runtime.ImagesChanged()
	var list []api.ImageInfo
	for _, i := range loaded {
		list = append(list, imageInfo(i))
	}
	return list, imageError(err)
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

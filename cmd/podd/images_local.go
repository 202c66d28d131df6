package main

import (
	"context"
	"io"
	"path/filepath"

	store "podd/images"
	"podd/runtime/api"
)

// localImages is the store on disk. A daemon that starts in the meantime notices the change.
type localImages struct{ store *store.Store }

func openLocalImages(root string) (imageStore, error) {
	s, err := store.Open(filepath.Join(root, "images"), store.Options{})
	if err != nil {
		return nil, err
	}
	return &localImages{s}, nil
}

func (l *localImages) list(context.Context) ([]api.ImageInfo, error) {
	return imageInfos(l.store.List()), nil
}

func (l *localImages) load(ctx context.Context, r io.Reader, name string) ([]api.ImageInfo, error) {
	loaded, err := l.store.Load(ctx, r, store.LoadOptions{Name: name})
	return imageInfos(loaded), err
}

func (l *localImages) loadFolder(ctx context.Context, path, name string) ([]api.ImageInfo, error) {
	loaded, err := l.store.LoadPath(ctx, path, store.LoadOptions{Name: name})
	return imageInfos(loaded), err
}

func (l *localImages) remove(_ context.Context, ref string) ([]string, error) {
	return l.store.Remove(ref, nil)
}

func imageInfos(list []store.Image) []api.ImageInfo {
	infos := make([]api.ImageInfo, len(list))
	for i := range list {
		img := &list[i]
		infos[i] = api.ImageInfo{
			ID: img.ID, Names: img.Names, Digest: img.Digest, Size: img.Size, Created: img.Created, Platform: img.Platform,
		}
	}
	return infos
}

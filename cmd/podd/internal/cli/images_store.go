package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"podd/cmd/podd/internal/client"
	"podd/cmd/podd/internal/config"
	store "podd/images"
	"podd/internal/escape"
	"podd/runtime/api"
)

// localImages is the store on disk. A daemon that starts in the meantime notices the change.
type localImages struct {
	store *store.Store
	use   func() (ids, layers map[string]bool, err error)
}

// openLocalImages opens the store of a daemon that does not run, but whose pods may.
func openLocalImages(root string, read ImageUse) (imageStore, error) {
	use := func() (ids, layers map[string]bool, err error) { return read(config.ReadRunDir(root), root) }
	s, err := store.Open(filepath.Join(root, "images"), store.Options{
		InUse: func() (map[string]bool, error) { _, layers, err := use(); return layers, err },
		Warn:  func(err error) { fmt.Fprintln(os.Stderr, "podd:", escape.Line(err.Error())) },
	})
	if err != nil {
		return nil, err
	}
	return &localImages{s, use}, nil
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
	ids, _, err := l.use()
	if err != nil {
		return nil, err
	}
	return l.store.Remove(ref, func(id string) bool { return ids[id] })
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

const imagesPath = "/podd/v1/images"

// remoteImages is the store of a running daemon.
type remoteImages struct{ client *client.Client }

func (s *remoteImages) list(ctx context.Context) ([]api.ImageInfo, error) {
	var list api.ImageList
	err := s.client.Object(ctx, imagesPath, nil, client.AcceptObject, &list)
	return list.Items, err
}

func (s *remoteImages) load(ctx context.Context, r io.Reader, name string) ([]api.ImageInfo, error) {
	q := url.Values{}
	if name != "" {
		q.Set("name", name)
	}
	resp, err := s.client.Do(ctx, http.MethodPost, imagesPath, q, client.AcceptObject, r)
	if err != nil {
		return nil, err
	}
	var list api.ImageList
	err = client.Decode(resp, &list)
	return list.Items, err
}

func (s *remoteImages) loadFolder(_ context.Context, path, _ string) ([]api.ImageInfo, error) {
	return nil, fmt.Errorf("cannot send the folder %s to the daemon: pack it, as in tar -C %s -c . | podd images load -", path, path)
}

func (s *remoteImages) remove(ctx context.Context, ref string) ([]string, error) {
	resp, err := s.client.Do(ctx, http.MethodDelete, imagesPath, url.Values{"ref": {ref}}, client.AcceptObject, nil)
	if err != nil {
		return nil, err
	}
	var r api.ImagesRemoved
	err = client.Decode(resp, &r)
	return r.Removed, err
}

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"podd/runtime/api"
)

const imagesPath = "/podd/v1/images"

// remoteImages is the store of a running daemon.
type remoteImages struct{ client *client }

func (s *remoteImages) list(ctx context.Context) ([]api.ImageInfo, error) {
	var list api.ImageList
	err := s.client.object(ctx, imagesPath, nil, acceptObject, &list)
	return list.Items, err
}

func (s *remoteImages) load(ctx context.Context, r io.Reader, name string) ([]api.ImageInfo, error) {
	q := url.Values{}
	if name != "" {
		q.Set("name", name)
	}
	resp, err := s.client.do(ctx, http.MethodPost, imagesPath, q, acceptObject, r)
	if err != nil {
		return nil, err
	}
	var list api.ImageList
	err = decode(resp, &list)
	return list.Items, err
}

func (s *remoteImages) loadFolder(_ context.Context, path, _ string) ([]api.ImageInfo, error) {
	return nil, fmt.Errorf("cannot send the folder %s to the daemon: pack it, as in tar -C %s -c . | podd images load -", path, path)
}

func (s *remoteImages) remove(ctx context.Context, ref string) ([]string, error) {
	resp, err := s.client.do(ctx, http.MethodDelete, imagesPath, url.Values{"ref": {ref}}, acceptObject, nil)
	if err != nil {
		return nil, err
	}
	var r api.ImagesRemoved
	err = decode(resp, &r)
	return r.Removed, err
}

package apitest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"podd/runtime/api"
)

// SaveImages implements api.Backend.
func (f *Fake) SaveImages(_ context.Context, refs []string, w io.Writer) error {
	for _, ref := range refs {
		if ref == "nothing" {
			return api.NotFound("images", ref)
		}
	}
	_, err := io.WriteString(w, "archive of "+strings.Join(refs, " "))
	return err
}

// TagImage implements api.Backend.
func (f *Fake) TagImage(_ context.Context, ref, name string) (string, error) {
	if ref == "nothing" {
		return "", api.NotFound("images", ref)
	}
	return "docker.io/library/" + name, nil
}

// PinImage implements api.Backend.
func (f *Fake) PinImage(_ context.Context, ref string, pin bool) (string, error) {
	if ref == "nothing" {
		return "", api.NotFound("images", ref)
	}
	if pin {
		return "pinned-" + ref, nil
	}
	return "unpinned-" + ref, nil
}

// PruneImages implements api.Backend.
func (f *Fake) PruneImages(_ context.Context, o api.ImagePrune) (api.ImagesPruned, error) {
	p := api.ImagesPruned{Removed: []string{"sha256:nameless"}, Freed: 1500}
	if o.All {
		p.Removed = append(p.Removed, "unused:1")
	}
	return p, nil
}

// VerifyImages implements api.Backend.
func (f *Fake) VerifyImages(_ context.Context, o api.ImageVerify, report func(api.LayerVerified)) error {
	if len(o.Refs) == 1 && o.Refs[0] == "nothing" {
		return api.NotFound("images", "nothing")
	}
	report(api.LayerVerified{Layer: "sha256:good", Images: []string{"a:1"}})
	if len(o.Refs) == 1 && o.Refs[0] == "good" {
		return nil
	}
	report(api.LayerVerified{Layer: "sha256:bad", Images: []string{"a:1", "b:1"}, Mended: o.Repair, Differences: []api.FileDifference{{Path: "etc/x", Problem: "content"}}})
	return nil
}

// ImageLayers implements api.Backend.
func (f *Fake) ImageLayers(_ context.Context, ref string) (api.ImageLayers, error) {
	for _, i := range f.images {
		if slices.Contains(i.Names, ref) || i.ID == ref {
			return api.ImageLayers{
				ImageInfo: i, Layers: []api.LayerInfo{{DiffID: "sha256:base", Size: 4 << 20, Shared: []string{"other:1"}}, {DiffID: "sha256:own", Size: 1500}},
				Configuration: []byte(`{"history":[{"created":"2023-11-14T22:13:20Z","created_by":"ADD rootfs.tar /"},{"created":"2023-11-14T22:13:20Z","created_by":"CMD [\"sh\"]","empty_layer":true},{"created":"2023-11-14T22:13:20Z","created_by":"COPY x /x","comment":"by hand"}]}`),
			}, nil
		}
	}
	return api.ImageLayers{}, api.AsNotFound(fmt.Errorf("image %q is not in the store", ref))
}

package archive

import (
	"context"
	"os"
	"testing"

	"podd/images/layer"
	"podd/images/platform"
)

// FuzzParseDocuments: manifests and configurations of any content give a verdict, never a panic.
func FuzzParseDocuments(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:x","platform":{"os":"linux","architecture":"arm"}}]}`), []byte(`{"rootfs":{"diff_ids":[]}}`))
	f.Add([]byte(`[{"Config":"c","Layers":["l"],"RepoTags":["a"]}]`), []byte(`{"config":null,"created":"x"}`))
	f.Fuzz(func(_ *testing.T, list, config []byte) {
		a := documents{"index.json": list, "manifest.json": list, "c": config}
		a[blobName(digestBytes(config))] = config
		want := platform.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
		_, _ = ociImages(a, list, want)
		_, _ = dockerImages(a, list, want)
	})
}

// documents is an archive without layers.
type documents map[string][]byte

// Document implements Archive.
func (d documents) Document(name string) ([]byte, error) {
	if data, ok := d[name]; ok {
		return data, nil
	}
	return nil, os.ErrNotExist
}

func (d documents) Layer(context.Context, string, *layer.Staging) (*layer.Staged, error) {
	return nil, os.ErrNotExist
}

// Whole implements Archive.
func (d documents) Whole() bool { return true }

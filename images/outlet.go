package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"podd/images/layer"
)

// Outlet gives the images of a store to others: as documents, and layers as plain tars.
type Outlet struct{ Store *Store }

// Document is a manifest, an index or a configuration.
type Document struct{ MediaType, Digest, Text string }

func documentOf(mediaType, text string) Document {
	var said struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal([]byte(text), &said) == nil && said.MediaType != "" {
		mediaType = said.MediaType
	}
	return Document{mediaType, digestOf(text), text}
}

// Artifact is an image as others can have it.
type Artifact struct {
	Image

	Pulled bool // it came from a registry, and from no archive since
	// Plain is a manifest with the layers as plain tars: the one that came, if its layers did so.
	Plain Document
	// Came are the documents that came: what the image's names stood for, then what led from there to the manifest. Nobody keeps
	// those of a docker-archive, nor very large ones.
	Came          []Document
	Configuration Document
	Tars          []Tar // lowest first
}

// Tar is a layer as a plain tar.
type Tar struct {
	DiffID string // its digest
	Size   int64
	dir    string
}

// Artifacts lists the images that can be given as they came. One that has lost a layer is left out, and so is what an earlier
// podd has imported and cannot put together.
func (o Outlet) Artifacts() []Artifact {
	state := o.Store.state.Load()
	var list []Artifact
	for _, r := range state.records {
		img := state.byID[r.ID]
		plain, err := r.plainManifest()
		if img == nil || img.lost != "" || err != nil {
			continue
		}
		a := Artifact{Image: *img, Pulled: r.Pulled, Configuration: Document{mediaTypeConfig, r.ID, r.Configuration}}
		var diffIDs []string
		for _, l := range r.ownLayers() {
			a.Tars = append(a.Tars, Tar{l.DiffID, l.TarSize, l.Dir})
			diffIDs = append(diffIDs, l.DiffID)
		}
		if r.Manifest != "" {
			for _, index := range slices.Backward(r.Indexes) {
				a.Came = append(a.Came, documentOf(mediaTypeIndex, index))
			}
			a.Came = append(a.Came, documentOf(mediaTypeManifest, r.Manifest))
		}
		a.Plain = documentOf(mediaTypeManifest, string(plain))
		if slices.Equal(blobsOf(r.Manifest), diffIDs) {
			a.Plain = a.Came[len(a.Came)-1]
		}
		list = append(list, a)
	}
	return list
}

// blobsOf lists the layers of a manifest; nil: there is none.
func blobsOf(manifest string) []string {
	var doc struct {
		Layers []struct {
			Digest string `json:"digest"`
		} `json:"layers"`
	}
	if manifest == "" || json.Unmarshal([]byte(manifest), &doc) != nil {
		return nil
	}
	list := []string{}
	for _, l := range doc.Layers {
		list = append(list, l.Digest)
	}
	return list
}

// CanWrite says whether a layer can be put together, as far as its ledger tells.
func (o Outlet) CanWrite(t Tar) error { return layer.CanWriteTar(o.Store.checks().ledgerFile(t.dir)) }

// Write writes a layer from a byte on. Nothing keeps the layer from being removed meanwhile, which is an error, and whoever
// reads it compares the digest of the whole: a file that has changed shows there alone.
func (o Outlet) Write(w io.Writer, t Tar, from int64) error {
	err := layer.WriteTar(w, o.Store.checks().ledgerFile(t.dir), filepath.Join(o.Store.dir("l"), t.dir), from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("layer %s has gone meanwhile: %w", t.DiffID, err)
	}
	return err
}

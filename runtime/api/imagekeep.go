package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// ImageKeeper is what can be done with images beside loading and removing them.
type ImageKeeper interface {
	// SaveImages writes images as one archive.
	SaveImages(ctx context.Context, refs []string, w io.Writer) error
	// TagImage gives an image one more name and returns it in full.
	TagImage(ctx context.Context, ref, name string) (string, error)
	// PinImage keeps an image from being collected, or lets it go again; it returns what is pinned.
	PinImage(ctx context.Context, ref string, pin bool) (string, error)
	// PruneImages removes images that nobody needs: those without a name, or all.
	PruneImages(ctx context.Context, o ImagePrune) (ImagesPruned, error)
	// VerifyImages compares all files of images with what they were. report is called for each layer, and not at once.
	VerifyImages(ctx context.Context, o ImageVerify, report func(LayerVerified)) error
	// ImageLayers says what an image is made of.
	ImageLayers(ctx context.Context, ref string) (ImageLayers, error)
}

// ImageLayers is an image with what it is made of.
type ImageLayers struct {
	ImageInfo

	Layers []LayerInfo `json:"layers"` // lowest first
	// Configuration and Manifest are the documents as they came; "": an earlier podd has not kept them.
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Manifest      json.RawMessage `json:"manifest,omitempty"`
}

// LayerInfo is one layer.
type LayerInfo struct {
	DiffID string   `json:"diffID"`           // of its tar
	Blob   string   `json:"blob,omitempty"`   // of the compressed file that it came in
	Size   int64    `json:"size"`             // bytes of its files
	Shared []string `json:"shared,omitempty"` // other images that have it, by name or ID
}

// ImagePrune says which images to remove.
type ImagePrune struct{ All, DryRun bool }

// ImagesPruned are those that went.
type ImagesPruned struct {
	Removed []string `json:"removed"`
	Freed   int64    `json:"freed"` // bytes
}

// ImageVerify says what to verify; no Refs are all images.
type ImageVerify struct {
	Refs   []string
	Repair bool
}

// LayerVerified is what became of a layer; the last of an answer has an Error alone if the whole could not be done.
type LayerVerified struct {
	Layer       string           `json:"layer,omitempty"`
	Images      []string         `json:"images,omitempty"`
	Differences []FileDifference `json:"differences,omitempty"`
	Mended      bool             `json:"mended,omitempty"`
	Error       string           `json:"error,omitempty"`
}

// FileDifference is one file that is not what it was: missing, added, content, attributes or kind.
type FileDifference struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// saveImages answers with an archive. An error that comes after its beginning can only cut it off.
func (s imageServer) saveImages(w http.ResponseWriter, r *http.Request) error {
	refs := r.URL.Query()["ref"]
	if len(refs) == 0 {
		return BadRequest("no image named: the request needs ?ref=NAME")
	}
	out := &begun{w: w}
	err := s.backend.SaveImages(r.Context(), refs, out)
	if err != nil && out.yes {
		s.log.Error("cannot finish an archive of images", "images", refs, "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

func (s imageServer) imageLayers(w http.ResponseWriter, r *http.Request) error {
	l, err := s.backend.ImageLayers(r.Context(), r.URL.Query().Get("ref"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &l)
	return nil
}

func (s imageServer) tagImage(w http.ResponseWriter, r *http.Request) error {
	name, err := s.backend.TagImage(r.Context(), r.URL.Query().Get("ref"), r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, name)
	return nil
}

// pinImage pins by POST and unpins by DELETE.
func (s imageServer) pinImage(w http.ResponseWriter, r *http.Request) error {
	pinned, err := s.backend.PinImage(r.Context(), r.URL.Query().Get("ref"), r.Method == http.MethodPost)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, pinned)
	return nil
}

func (s imageServer) pruneImages(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	pruned, err := s.backend.PruneImages(r.Context(), ImagePrune{All: q.Get("all") == "true", DryRun: q.Get("dryRun") == "true"})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &pruned)
	return nil
}

// verifyImages answers with a line of JSON for each layer, when it is done with.
func (s imageServer) verifyImages(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ctl := http.NewResponseController(w)
	begun := false
	tell := func(v LayerVerified) {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		_ = json.NewEncoder(w).Encode(&v) // a client that has gone away ends the request
		_ = ctl.Flush()
	}
	err := s.backend.VerifyImages(r.Context(), ImageVerify{Refs: q["ref"], Repair: q.Get("repair") == "true"}, tell)
	if err != nil && begun {
		tell(LayerVerified{Error: err.Error()})
		return nil
	}
	return err
}

package images

import (
	"path/filepath"
	"slices"
	"time"
)

// Image is one image of the store, ready to be mounted. Its slices and maps are shared: do not change them.
type Image struct {
	ID       string    // "sha256:" and the digest of the image's configuration
	Names    []string  // normalised, sorted; none after another image took the last name
	Digest   string    // of the manifest, "" when the archive had none (docker-archive)
	Size     int64     // bytes of all files of all layers, unpacked
	Created  time.Time // as the builder wrote it; zero when unknown
	Platform string    // "linux/arm64"
	Config   Config
	Layers   []string // absolute directories, lowest first; their last two elements are short, for overlayfs option strings
	lost     string   // a layer whose directory is gone: the image cannot be used
}

// LayerDirs are the names of the layers' folders in the store, as Options.InUse gives them.
func (i *Image) LayerDirs() []string {
	dirs := make([]string, len(i.Layers))
	for n, layer := range i.Layers {
		dirs[n] = filepath.Base(layer)
	}
	return dirs
}

func (i *Image) title() string {
	if len(i.Names) > 0 {
		return i.Names[0]
	}
	return i.ID
}

// Config is what the image says about running it (OCI image specification, "config").
type Config struct {
	User, WorkingDir, StopSignal string
	Entrypoint, Cmd, Env         []string
	Volumes, ExposedPorts        []string // sorted
	Labels                       map[string]string
}

// record is the file of one image, <root>/i/<id>.json.
type record struct {
	ID       string        `json:"id"`
	Names    []string      `json:"names,omitempty"`
	Seq      int64         `json:"seq"` // of two records that claim one name the later wins
	Digests  []string      `json:"digests,omitempty"`
	Created  time.Time     `json:"created,omitzero"`
	Platform string        `json:"platform"`
	Config   Config        `json:"config"`
	Layers   []layerRecord `json:"layers"` // lowest first
}

// layerRecord is one unpacked layer, <root>/l/<dir>.
type layerRecord struct {
	DiffID   string   `json:"diffID"`
	Blob     string   `json:"blob,omitempty"` // digest of the compressed file that it came from
	Dir      string   `json:"dir"`
	Size     int64    `json:"size"`
	Implicit []string `json:"implicit,omitempty"` // directories that the layer's tar uses without describing them
	Opaque   bool     `json:"opaque,omitempty"`   // hides all layers below
}

func (r *record) image(layerDir string) *Image {
	img := &Image{
		ID: r.ID, Names: r.Names, Created: r.Created, Platform: r.Platform, Config: r.Config,
	}
	if len(r.Digests) > 0 {
		img.Digest = r.Digests[0]
	}
	for _, l := range r.Layers {
		if l.Opaque {
			img.Layers = nil // overlayfs has no way to say so of a whole layer
		}
		dir := filepath.Join(layerDir, l.Dir)
		// overlayfs refuses a directory that it has already; of equal layers the upper one hides all of the lower.
		img.Layers = append(slices.DeleteFunc(img.Layers, func(d string) bool { return d == dir }), dir)
		img.Size += l.Size
	}
	return img
}

package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"podd/images/archive"
	"podd/images/fault"
	"podd/images/layer"
	"podd/images/reference"
	"podd/internal/atomicfile"
)

// Image is one image of the store, ready to be mounted. Its slices and maps are shared: do not change them.
type Image struct {
	ID       string    // "sha256:" and the digest of the image's configuration
	Names    []string  // normalised, sorted; none after another image took the last name
	Digest   string    // of the manifest, "" when the archive had none (docker-archive)
	Size     int64     // bytes of all files of all layers, unpacked
	Created  time.Time // as the builder wrote it; zero when unknown
	Platform string    // "linux/arm64"
	Config   archive.Config
	Layers   []string // absolute directories, lowest first; their last two elements are short, for overlayfs option strings
	SignedBy []string // the keys of the policy whose signatures were found when somebody looked last
	// Owners are the highest user or group of each of Layers; nil: not known.
	Owners []*uint32
	lost   string // a layer whose directory is gone: the image cannot be used
}

// LayerDirs are the names of the layers' folders in the store, as Options.InUse gives them.
func (i *Image) LayerDirs() []string {
	dirs := make([]string, len(i.Layers))
	for n, layer := range i.Layers {
		dirs[n] = filepath.Base(layer)
	}
	return dirs
}

// looked are the highest owners of layers whose records do not say, by folder.
var looked sync.Map

// HighestID is the largest user or group that a file of the image has. Once for each layer that an earlier podd has unpacked
// it looks at all files.
func (i *Image) HighestID() (highest uint32, err error) {
	for n, dir := range i.Layers {
		var owner *uint32
		if n < len(i.Owners) {
			owner = i.Owners[n]
		}
		if owner == nil {
			if known, ok := looked.Load(dir); ok {
				owner = known.(*uint32)
			} else {
				id, err := layer.HighestID(dir)
				if err != nil {
					return 0, err
				}
				owner = &id
				looked.Store(dir, owner)
			}
		}
		highest = max(highest, *owner)
	}
	return highest, nil
}

func (i *Image) title() string {
	if len(i.Names) > 0 {
		return i.Names[0]
	}
	return i.ID
}

// record is the file of one image, <root>/i/<id>.json.
type record struct {
	ID       string         `json:"id"`
	Names    []string       `json:"names,omitempty"`
	Seq      int64          `json:"seq"` // of two records that claim one name the later wins
	Digests  []string       `json:"digests,omitempty"`
	Created  time.Time      `json:"created,omitzero"`
	Platform string         `json:"platform"`
	Config   archive.Config `json:"config"`
	Layers   []layer.Record `json:"layers"` // lowest first
	// Configuration and Manifest are the documents as they came, for who wants the image back. JSON as a text, so that not a
	// byte of it changes. Records of before have none.
	Configuration string `json:"configuration,omitempty"`
	Manifest      string `json:"manifest,omitempty"`
	// Indexes led to the manifest, the nearest first: who knows the image by the digest of one finds its way.
	Indexes []string `json:"indexes,omitempty"`
	// Pulled: it came from a registry, which may have asked who wants it.
	Pulled bool `json:"pulled,omitempty"`
	// Root is what the names pointed to: the manifest, or the index above it.
	Root  *archive.Descriptor `json:"root,omitempty"`
	Trust *Trust              `json:"trust,omitempty"`
}

func (r *record) image(layerDir string) *Image {
	img := &Image{
		ID: r.ID, Names: r.Names, Created: r.Created, Platform: r.Platform, Config: r.Config,
	}
	if len(r.Digests) > 0 {
		img.Digest = r.Digests[0]
	}
	if r.Trust != nil {
		img.SignedBy = r.Trust.SignedBy
	}
	for _, l := range r.Layers {
		if l.Opaque {
			img.Layers, img.Owners = nil, nil // overlayfs has no way to say so of a whole layer
		}
		dir := filepath.Join(layerDir, l.Dir)
		// overlayfs refuses a directory that it has already; of equal layers the upper one hides all of the lower.
		if i := slices.Index(img.Layers, dir); i >= 0 {
			img.Layers, img.Owners = slices.Delete(img.Layers, i, i+1), slices.Delete(img.Owners, i, i+1)
		}
		img.Layers, img.Owners = append(img.Layers, dir), append(img.Owners, l.HighestID)
		img.Size += l.Size
	}
	return img
}

// readRecord reads one image. A record that cannot be believed is set aside, and the error is an *atomicfile.Damage.
func readRecord(file string) (*record, error) {
	r := new(record)
	err := atomicfile.LoadJSON(file, r, func() error { return r.check(strings.TrimSuffix(filepath.Base(file), ".json")) })
	if err != nil {
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	return r, nil
}

// check demands what others rely on: the ID is that of the file's name, and layers are folders of the store.
func (r *record) check(name string) error {
	if r.ID != "sha256:"+name || len(name) != 64 || !reference.IsHex(name) {
		return fmt.Errorf("it has the ID %q", fault.Clip(r.ID))
	}
	for _, l := range r.Layers {
		if l.Dir == "" || l.DiffID == "" || l.Dir != filepath.Base(l.Dir) || l.Dir[0] == '.' {
			return fmt.Errorf("it has the layer %q", fault.Clip(l.Dir))
		}
	}
	return nil
}

func (rc records) recordFile(id string) string {
	return filepath.Join(rc.s.dir("i"), strings.TrimPrefix(id, "sha256:")+".json")
}

func (rc records) writeRecord(r *record) error {
	slices.Sort(r.Names)
	data, err := json.Marshal(r)
	if err == nil {
		err = atomicfile.WriteSync(rc.recordFile(r.ID), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot record image %s: %w", r.ID, err)
	}
	return nil
}

// syncFilesystem is one call for all files of all layers; fsync of each would take flash a flush a file.
func syncFilesystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = unix.Syncfs(int(f.Fd()))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot put the layers on stable storage: %w", err)
	}
	return nil
}

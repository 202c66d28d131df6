package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"podd/images/fault"
	"podd/images/platform"
	"podd/images/reference"
	"podd/internal/boundedjson"
)

// maxLayers is what overlayfs and Docker agree on.
const maxLayers = 127

// Image is an image of an archive before its layers are looked at.
type Image struct {
	ID       string   // "sha256:" and the digest of the configuration
	Names    []string // normalised, sorted
	Digests  []string // of the manifest and of the indexes that lead to it, manifest first
	Created  time.Time
	Platform string // "linux/arm64"; "" when the image does not tell
	Config   Config
	Layers   []Layer  // lowest first
	Raw      []byte   // the configuration, whose digest is the ID
	Manifest []byte   // nil in a docker-archive
	Indexes  [][]byte // that led to the manifest, the nearest first
	// Root is what the name points to: the manifest, or the index above it. Empty in a docker-archive.
	Root Descriptor
}

// Layer says where a layer lies in the archive and what it must be.
type Layer struct {
	Name   string
	DiffID string
	Blob   string // digest of the file, "" when the archive does not tell
	Size   int64  // of the file, -1 when the archive does not tell
	// Annotations are what the manifest says of it.
	Annotations map[string]string
}

// Config is what the image says about running it (OCI image specification, "config").
type Config struct {
	User, WorkingDir, StopSignal string
	Entrypoint, Cmd, Env         []string
	Volumes, ExposedPorts        []string // sorted
	Labels                       map[string]string
}

// imageConfig is the document that an image's ID is the digest of (OCI image specification, "config.md").
type imageConfig struct {
	platform.Platform

	Created string `json:"created"`
	Config  struct {
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		Volumes      map[string]struct{} `json:"Volumes"`
		WorkingDir   string              `json:"WorkingDir"`
		Labels       map[string]string   `json:"Labels"`
		StopSignal   string              `json:"StopSignal"`
	} `json:"config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// newImage reads a configuration; layers gives the archive's side, lowest first.
func newImage(data []byte, layers []Layer) (*Image, error) {
	var ic imageConfig
	if err := boundedjson.Unmarshal(data, &ic); err != nil {
		return nil, fault.Refusef("the image's configuration is no valid JSON (%v)", err)
	}
	if len(layers) != len(ic.RootFS.DiffIDs) {
		return nil, fault.Refusef("the image has %d layers but its configuration speaks of %d", len(layers), len(ic.RootFS.DiffIDs))
	}
	if len(layers) > maxLayers {
		return nil, fault.Refusef("the image has %d layers, more than the %d that can be mounted", len(layers), maxLayers)
	}
	for i, id := range ic.RootFS.DiffIDs {
		if !reference.ValidDigest(id) {
			return nil, fault.Refusef("the configuration names layer %d by %q, which is no sha256 digest", i+1, fault.Clip(id))
		}
		layers[i].DiffID = id
	}
	c := &Image{
		ID: digestBytes(data), Raw: data, Layers: layers, Platform: ic.Normalize().String(), Config: Config{
			User: ic.Config.User, WorkingDir: ic.Config.WorkingDir, StopSignal: ic.Config.StopSignal,
			Entrypoint: ic.Config.Entrypoint, Cmd: ic.Config.Cmd, Env: ic.Config.Env, Labels: ic.Config.Labels,
			Volumes: sortedKeys(ic.Config.Volumes), ExposedPorts: sortedKeys(ic.Config.ExposedPorts),
		},
	}
	if t, err := time.Parse(time.RFC3339Nano, ic.Created); err == nil {
		c.Created = t.UTC()
	}
	return c, nil
}

func sortedKeys(m map[string]struct{}) []string { return slices.Sorted(maps.Keys(m)) }

func digestBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// fits ranks the image for a machine, as platform.Platform.Rank; one that does not tell its platform fits.
func (c *Image) fits(want platform.Platform) int {
	p, err := platform.Parse(c.Platform)
	if err != nil {
		c.Platform = want.String()
		return 0
	}
	return want.Rank(p)
}

// addName gives the image a name of the archive.
func (c *Image) addName(name string) error {
	full, err := reference.Normalize(name)
	if err != nil {
		return fault.Refusef("it gives an image the impossible name %q", fault.Clip(name))
	}
	if !slices.Contains(c.Names, full) {
		c.Names = append(c.Names, full)
		slices.Sort(c.Names)
	}
	return nil
}

// Called is how messages name the image.
func (c *Image) Called() string {
	if len(c.Names) > 0 {
		return c.Names[0]
	}
	return c.ID
}

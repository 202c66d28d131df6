package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// maxLayers is what overlayfs and Docker agree on.
const maxLayers = 127

// candidate is an image of an archive before its layers are looked at.
type candidate struct {
	record

	layers []layerRef
}

// layerRef says where a layer lies in the archive and what it must be.
type layerRef struct {
	name   string
	diffID string
	blob   string // digest of the file, "" when the archive does not tell
	size   int64  // of the file, -1 when the archive does not tell
}

// imageConfig is the document that an image's ID is the digest of (OCI image specification, "config.md").
type imageConfig struct {
	platform

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

// newCandidate reads a configuration; layers gives the archive's side, lowest first.
func newCandidate(data []byte, layers []layerRef) (*candidate, error) {
	var ic imageConfig
	if err := json.Unmarshal(data, &ic); err != nil {
		return nil, refusef("the image's configuration is no valid JSON (%v)", err)
	}
	if len(layers) != len(ic.RootFS.DiffIDs) {
		return nil, refusef("the image has %d layers but its configuration speaks of %d", len(layers), len(ic.RootFS.DiffIDs))
	}
	if len(layers) > maxLayers {
		return nil, refusef("the image has %d layers, more than the %d that can be mounted", len(layers), maxLayers)
	}
	for i, id := range ic.RootFS.DiffIDs {
		if !validDigest(id) {
			return nil, refusef("the configuration names layer %d by %q, which is no sha256 digest", i+1, clip(id))
		}
		layers[i].diffID = id
	}
	c := &candidate{layers: layers, record: record{
		ID: digestBytes(data), Platform: ic.normal().String(), Config: Config{
			User: ic.Config.User, WorkingDir: ic.Config.WorkingDir, StopSignal: ic.Config.StopSignal,
			Entrypoint: ic.Config.Entrypoint, Cmd: ic.Config.Cmd, Env: ic.Config.Env, Labels: ic.Config.Labels,
			Volumes: sortedKeys(ic.Config.Volumes), ExposedPorts: sortedKeys(ic.Config.ExposedPorts),
		},
	}}
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

// fits ranks the image for a machine, as platform.rank; one that does not tell its platform fits.
func (c *candidate) fits(want platform) int {
	p, err := parsePlatform(c.Platform)
	if err != nil {
		c.Platform = want.String()
		return 0
	}
	return want.rank(p)
}

// addName gives the image a name of the archive.
func (c *candidate) addName(name string) error {
	full, err := NormalizeName(name)
	if err != nil {
		return refusef("it gives an image the impossible name %q", clip(name))
	}
	if !slices.Contains(c.Names, full) {
		c.Names = append(c.Names, full)
		slices.Sort(c.Names)
	}
	return nil
}

package archive

import (
	"path"
	"strings"

	"podd/images/fault"
	"podd/images/platform"
	"podd/images/reference"
	"podd/internal/boundedjson"
)

// dockerManifest is an element of manifest.json in what "docker save" and "podman save" write.
type dockerManifest struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// dockerImages lists the images of a docker-archive that fit the machine; data is its manifest.json.
func dockerImages(a Archive, data []byte, want platform.Platform) ([]*Image, error) {
	var list []dockerManifest
	if err := boundedjson.Unmarshal(data, &list); err != nil {
		return nil, fault.Refusef("its manifest.json is no valid JSON (%v)", err)
	}
	var out []*Image
	other := ""
	for _, m := range list {
		c, err := dockerImage(a, m)
		if err != nil {
			return nil, err
		}
		if c.fits(want) < 0 {
			other = c.Platform
			continue
		}
		out = append(out, c)
	}
	if len(out) == 0 && other != "" {
		return nil, platformError(other, want)
	}
	return out, nil
}

func dockerImage(a Archive, m dockerManifest) (*Image, error) {
	data, err := a.Document(m.Config)
	if IsMissing(err) {
		return nil, MissingError(a, "the image's configuration", m.Config)
	}
	if err != nil {
		return nil, err
	}
	layers := make([]Layer, len(m.Layers))
	for i, name := range m.Layers {
		layers[i] = Layer{Name: name, Size: -1}
	}
	c, err := newImage(data, layers)
	if err != nil {
		return nil, err
	}
	if claimed := strings.TrimSuffix(path.Base(m.Config), ".json"); len(claimed) == 64 && reference.IsHex(claimed) && c.ID != "sha256:"+claimed {
		return nil, fault.Refusef("the image's configuration %s has the digest %s", fault.Clip(m.Config), c.ID)
	}
	for _, name := range m.RepoTags {
		if err := c.addName(name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

package images

import (
	"encoding/json"
	"path"
	"strings"
)

// dockerManifest is an element of manifest.json in what "docker save" and "podman save" write.
type dockerManifest struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// dockerImages lists the images of a docker-archive that fit the machine; data is its manifest.json.
func dockerImages(a archive, data []byte, want platform) ([]*candidate, error) {
	var list []dockerManifest
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, refusef("its manifest.json is no valid JSON (%v)", err)
	}
	var out []*candidate
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
		return nil, platformf("it is for %s and this machine is %s: save the image with --platform %s", other, want, want)
	}
	return out, nil
}

func dockerImage(a archive, m dockerManifest) (*candidate, error) {
	data, err := a.document(m.Config)
	if isMissing(err) {
		return nil, missing(a, "the image's configuration", m.Config)
	}
	if err != nil {
		return nil, err
	}
	layers := make([]layerRef, len(m.Layers))
	for i, name := range m.Layers {
		layers[i] = layerRef{name: name, size: -1}
	}
	c, err := newCandidate(data, layers)
	if err != nil {
		return nil, err
	}
	if claimed := strings.TrimSuffix(path.Base(m.Config), ".json"); len(claimed) == 64 && isHex(claimed) && c.ID != "sha256:"+claimed {
		return nil, refusef("the image's configuration %s has the digest %s", clip(m.Config), c.ID)
	}
	for _, name := range m.RepoTags {
		if err := c.addName(name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

package images

import (
	"slices"

	"podd/images/layer"
)

// Layer is one layer of an image, as Details has it.
type Layer struct {
	DiffID, Blob string
	Size         int64    // of its files
	Shared       []string // other images that have it, by name or ID
}

// Details are what an image is made of.
type Details struct {
	Image

	LayerList               []Layer // lowest first
	Configuration, Manifest string  // as they came; "": an earlier podd has not kept them
}

// Details says what an image is made of.
func (s *Store) Details(ref string) (Details, error) {
	state := s.state.Load()
	img, err := state.find(ref)
	if err != nil {
		return Details{}, err
	}
	d := Details{Image: *img}
	for _, r := range state.records {
		if r.ID != img.ID {
			continue
		}
		d.Configuration, d.Manifest = r.Configuration, r.Manifest
		for _, l := range r.Layers {
			d.LayerList = append(d.LayerList, Layer{DiffID: l.DiffID, Blob: l.Blob, Size: l.Size, Shared: state.sharing(l.Dir, r.ID)})
		}
	}
	return d, nil
}

// sharing lists the other images that have a layer.
func (s *snapshot) sharing(dir, but string) (titles []string) {
	for _, r := range s.records {
		if r.ID != but && slices.ContainsFunc(r.Layers, func(l layer.Record) bool { return l.Dir == dir }) {
			titles = append(titles, s.byID[r.ID].title())
		}
	}
	slices.Sort(titles)
	return titles
}

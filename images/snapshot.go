package images

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podd/images/fault"
	"podd/images/layer"
	"podd/images/reference"
	"podd/internal/atomicfile"
)

// records reads and writes the records of images.
type records struct{ s *Store }

func (s *Store) records() records { return records{s} }

// snapshot is the content of a store at one moment. It never changes.
type snapshot struct {
	generation int64
	records    []*record
	images     []*Image                // sorted for List
	byName     map[string]*Image       // normalised names
	byID       map[string]*Image       // whole IDs
	byDigest   map[string]*Image       // repository@manifest digest
	layers     map[string]layer.Record // by diffID and by blob digest
	dirs       map[string]string       // layer directory → diffID
	torn       map[string]bool         // layer directories that are not what they were
}

// readSnapshot reads all records. One that is damaged is set aside: the other images are not to be lost for it, and the
// archive that it came from is read again.
func (rc records) readSnapshot() (*snapshot, error) {
	entries, err := os.ReadDir(rc.s.dir("i"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	var records []*record
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		r, err := readRecord(filepath.Join(rc.s.dir("i"), e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case errors.As(err, new(*atomicfile.Damage)):
			rc.warnOnce(fmt.Errorf("an image is lost, load its archive again, unless it is in the folder of archives: %w", err))
		case err != nil:
			return nil, err
		default:
			records = append(records, r)
		}
	}
	kept, err := rc.s.kept().readKept()
	if err != nil {
		return nil, err
	}
	state := newSnapshot(rc.s.root, records, kept)
	for _, img := range state.images {
		if img.lost != "" && !state.torn[img.lost] {
			rc.warnOnce(fmt.Errorf("image %s has lost its layer %s: load its archive again, unless it is in the folder of archives", img.title(), img.lost))
		}
	}
	return state, nil
}

func (rc records) reportDamage(damage *atomicfile.Damage, lost string) {
	rc.warnOnce(fmt.Errorf("%w: %s", damage, lost))
}

func (rc records) warnOnce(err error) {
	rc.s.warnMu.Lock()
	defer rc.s.warnMu.Unlock()
	if rc.s.warn != nil && !rc.s.warned[err.Error()] {
		rc.s.warned[err.Error()] = true
		rc.s.warn(err)
	}
}

func newSnapshot(root string, records []*record, kept []layer.Record) *snapshot {
	s := &snapshot{
		records: records, byName: map[string]*Image{}, byID: map[string]*Image{}, byDigest: map[string]*Image{},
		layers: map[string]layer.Record{}, dirs: map[string]string{}, torn: readTorn(filepath.Join(root, "d")),
	}
	// Later records first: they own the names that a crash has left to two.
	slices.SortFunc(records, func(a, b *record) int { return cmp.Compare(b.Seq, a.Seq) })
	lost := map[string]bool{}
	take := func(l layer.Record) {
		st, err := os.Lstat(filepath.Join(root, "l", l.Dir))
		if err != nil || !st.IsDir() || s.torn[l.Dir] {
			lost[l.Dir] = true
			return
		}
		s.layers[l.DiffID] = l
		if l.Blob != "" {
			s.layers[l.Blob] = l
		}
	}
	for _, l := range kept {
		take(l)
		s.dirs[l.Dir] = l.DiffID
	}
	for _, r := range records {
		for _, l := range r.Layers {
			take(l)
		}
	}
	for _, r := range records {
		s.add(r, filepath.Join(root, "l"), lost)
	}
	slices.SortFunc(s.images, compareImages)
	return s
}

// readTorn lists the layers that are marked.
func readTorn(dir string) map[string]bool {
	torn := map[string]bool{}
	entries, _ := os.ReadDir(dir) // an old store has none
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), tornSuffix); ok {
			torn[name] = true
		}
	}
	return torn
}

func (s *snapshot) add(r *record, layerDir string, lost map[string]bool) {
	r.Names = slices.DeleteFunc(r.Names, func(name string) bool { return s.byName[name] != nil })
	r.Layers = slices.Clone(r.Layers)
	missing := ""
	for i, l := range r.Layers {
		if have, ok := s.layers[l.DiffID]; ok && lost[l.Dir] {
			r.Layers[i].Dir = have.Dir // it has come again, with another image
		} else if lost[l.Dir] {
			missing = l.Dir
		}
		s.dirs[r.Layers[i].Dir] = l.DiffID
	}
	img := r.image(layerDir)
	img.lost = missing
	s.images = append(s.images, img)
	s.byID[r.ID] = img
	for _, name := range r.Names {
		s.byName[name] = img
		if ref, err := reference.Parse(name); err == nil {
			for _, d := range r.Digests {
				s.byDigest[ref.Repository()+"@"+d] = img
			}
		}
	}
}

func compareImages(a, b *Image) int {
	named := func(i *Image) int { return min(len(i.Names), 1) }
	if c := cmp.Compare(named(b), named(a)); c != 0 {
		return c
	}
	return cmp.Or(slices.Compare(a.Names, b.Names), cmp.Compare(a.ID, b.ID))
}

func (s *snapshot) find(ref string) (*Image, error) {
	if img := s.byID[ref]; img != nil {
		return img, nil
	}
	r, err := reference.Parse(ref)
	if err == nil {
		if img := s.findReference(r); img != nil {
			return img, nil
		}
	}
	if img := s.findPrefix(strings.TrimPrefix(ref, "sha256:")); img != nil {
		return img, nil
	}
	switch {
	case err == nil:
		return nil, &fault.Sentence{Kind: ErrNotFound, Text: fmt.Sprintf("image %q is not in the store: load an archive that holds it", r.String())}
	case strings.HasPrefix(ref, "sha256:") || reference.IsHex(ref):
		return nil, &fault.Sentence{Kind: ErrNotFound, Text: fmt.Sprintf("no image, or more than one, has an ID that begins with %q", fault.Clip(ref))}
	}
	return nil, err
}

// findReference: a digest says all, and a tag beside it nothing (as Docker and the kubelet have it).
func (s *snapshot) findReference(r reference.Reference) *Image {
	if r.Digest == "" {
		return s.byName[r.String()]
	}
	if img := s.byName[r.String()]; img != nil {
		return img
	}
	return s.byDigest[r.Repository()+"@"+r.Digest]
}

// findPrefix needs four digits, so that a short name is never taken for an ID.
func (s *snapshot) findPrefix(prefix string) *Image {
	if len(prefix) < 4 || !reference.IsHex(prefix) {
		return nil
	}
	var found *Image
	for _, img := range s.images {
		if strings.HasPrefix(img.ID, "sha256:"+prefix) {
			if found != nil {
				return nil
			}
			found = img
		}
	}
	return found
}

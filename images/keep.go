package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"podd/images/layer"
	"podd/internal/atomicfile"
)

// keptLayers are layers of a load that did not come to its end, for the next one.
type keptLayers struct{ s *Store }

func (s *Store) kept() keptLayers { return keptLayers{s} }

// A pull may end between two layers: with podd, with the machine, or with the network. Layers that are whole by then are
// kept, each with a small file in p/, until an image has them or nobody has asked for them for long.
const (
	keepEach = 3 * time.Second     // a pull that is slower keeps each layer as soon as it is whole
	keepFor  = 14 * 24 * time.Hour // layers that no image has taken
	// keepIfShort is how long when there is no room for others.
	keepIfShort = 24 * time.Hour
)

// persist puts whole layers of a pull into their places, on stable storage, although there is no image yet.
func (kl keptLayers) persist(st *layer.Staging, layers []*layer.Staged) error {
	if len(layers) == 0 {
		return nil
	}
	if err := syncFilesystem(kl.s.root); err != nil {
		return err
	}
	return kl.s.changing(func() error {
		if err := atomicfile.EnsureDir(kl.s.dir("p"), 0o700, kl.s.records().reportDamage, "layers of pulls that did not end are fetched again"); err != nil {
			return err
		}
		for _, l := range layers {
			r := recordOf(l)
			if _, have := kl.s.state.Load().layers[r.DiffID]; have {
				continue
			}
			r.Dir = kl.s.commits().layerDirName(r.DiffID)
			if err := kl.s.commits().moveLayer(l, r.Dir); err != nil {
				return err
			}
			st.Take(r.DiffID)
			if err := kl.writeKept(r); err != nil {
				return err
			}
		}
		if err := errors.Join(atomicfile.SyncDir(kl.s.dir("d")), atomicfile.SyncDir(kl.s.dir("l"))); err != nil {
			return err
		}
		return kl.s.records().bumpGeneration()
	})
}

func recordOf(l *layer.Staged) layer.Record {
	r := layer.Record{DiffID: l.DiffID, Size: l.Size, TarSize: l.TarSize, Shape: l.Shape, Implicit: l.Implicit, Opaque: l.Opaque, HighestID: &l.HighestID}
	if l.BlobID != l.DiffID {
		r.Blob = l.BlobID
	}
	return r
}

func (kl keptLayers) keptFile(dir string) string { return filepath.Join(kl.s.dir("p"), dir+".json") }

func (kl keptLayers) writeKept(r layer.Record) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = atomicfile.WriteSync(kl.keptFile(r.Dir), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot keep a layer: %w", err)
	}
	return nil
}

// readKept lists the layers of pulls that have not ended. One whose file is damaged is fetched again.
func (kl keptLayers) readKept() ([]layer.Record, error) {
	entries, err := os.ReadDir(kl.s.dir("p"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read the image store: %w", err)
	}
	var list []layer.Record
	for _, e := range entries {
		dir, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		var r layer.Record
		err := atomicfile.LoadJSON(kl.keptFile(dir), &r, func() error {
			if r.Dir != dir || r.DiffID == "" || dir == "" || dir[0] == '.' {
				return errors.New("it is of another layer")
			}
			return nil
		})
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				kl.s.records().warnOnce(fmt.Errorf("a layer of a pull that did not end is fetched again: %w", err))
			}
			continue
		}
		list = append(list, r)
	}
	return list, nil
}

// dropKept forgets layers that an image has now, and those that nobody has asked for for so long. freed is how large those are.
func (kl keptLayers) dropKept(now time.Time, age time.Duration) (freed int64, err error) {
	entries, err := os.ReadDir(kl.s.dir("p"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look for layers of old pulls: %w", err)
	}
	owned := map[string]bool{}
	for _, r := range kl.s.state.Load().records {
		for _, l := range r.Layers {
			owned[l.Dir] = true
		}
	}
	dropped := false
	for _, e := range entries {
		dir, ok := strings.CutSuffix(e.Name(), ".json")
		if ok && !owned[dir] {
			if info, err := e.Info(); err != nil || now.Sub(info.ModTime()) < age {
				continue
			}
			freed += kl.s.state.Load().layers[kl.s.state.Load().dirs[dir]].Size
		}
		if err := os.Remove(filepath.Join(kl.s.dir("p"), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return freed, fmt.Errorf("cannot forget a layer of an old pull: %w", err)
		}
		dropped = true
	}
	if !dropped {
		return 0, nil
	}
	return freed, kl.s.reread()
}

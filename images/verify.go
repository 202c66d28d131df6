package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"podd/images/archive"
	"podd/images/layer"
	"podd/internal/hostfile"
)

// verification compares layers with their ledgers, and mends them.
type verification struct{ s *Store }

func (s *Store) verification() verification { return verification{s} }

// Verified is what became of one layer.
type Verified struct {
	Layer       string   // its digest
	Images      []string // that have it
	Differences []layer.Difference
	Mended      bool  // all of Differences are as they should be
	Err         error // it could not be verified, or not be mended
}

// LayerSource brings the bytes of a layer of an image as a registry has them.
type LayerSource func(ctx context.Context, image Image, diffID, blob string) (io.ReadCloser, error)

// VerifyOptions say what to verify.
type VerifyOptions struct {
	Refs   []string // names or IDs; none: all images
	Repair bool
	// Sources are asked for a layer after the folder of archives, one after the other.
	Sources []LayerSource
	// Report is told of each layer when it is done with; nil: nobody is.
	Report func(Verified)
}

// Verify reads all files of images and compares them with what they were when they were unpacked. A layer that differs is
// taken out of use, unless Repair mends the files that differ. It is meant to go on beside pods: it reads when nobody else
// wants to. The error is one of the machine; what is wrong with a layer is reported.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) error {
	if err := s.Recheck(); err != nil {
		return err
	}
	todo, err := s.verification().layersOf(o.Refs)
	if err != nil {
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its patience
		beIdle()
		for _, l := range todo {
			v := s.verification().verifyLayer(ctx, l, o)
			if err := ctx.Err(); err != nil {
				done <- err
				return
			}
			if o.Report != nil {
				o.Report(v)
			}
		}
		done <- nil
	}()
	return <-done
}

// beIdle lets this thread's reads wait for those of others (man 2 ioprio_set).
func beIdle() {
	const whoProcess, classIdle = 1, 3 << 13
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, 0, classIdle) // a hint
}

// layersOf lists the layers of images, each once.
func (vf verification) layersOf(refs []string) ([]layer.Record, error) {
	state := vf.s.state.Load()
	want := map[string]bool{}
	for _, ref := range refs {
		img, err := state.find(ref)
		if err != nil {
			return nil, err
		}
		want[img.ID] = true
	}
	var out []layer.Record
	for _, img := range state.images { // in the order of ls
		if len(refs) > 0 && !want[img.ID] {
			continue
		}
		i := slices.IndexFunc(state.records, func(r *record) bool { return r.ID == img.ID })
		for _, l := range state.records[i].Layers {
			if !slices.ContainsFunc(out, func(o layer.Record) bool { return o.Dir == l.Dir }) {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

func (vf verification) verifyLayer(ctx context.Context, l layer.Record, o VerifyOptions) Verified {
	v := Verified{Layer: l.DiffID}
	var owners []Image
	for _, r := range vf.s.state.Load().records {
		if slices.ContainsFunc(r.Layers, func(have layer.Record) bool { return have.Dir == l.Dir }) {
			img := vf.s.state.Load().byID[r.ID]
			owners = append(owners, *img)
			v.Images = append(v.Images, img.title())
		}
	}
	dir := filepath.Join(vf.s.dir("l"), l.Dir)
	if _, err := os.Lstat(vf.s.checks().ledgerFile(l.Dir)); errors.Is(err, os.ErrNotExist) {
		v.Err = errors.New("nobody has kept its digests: it was imported by an earlier podd; remove the image and load it again")
		return v
	}
	v.Differences, v.Err = layer.Verify(ctx, vf.s.checks().ledgerFile(l.Dir), dir)
	if v.Err != nil {
		return v
	}
	if len(v.Differences) == 0 {
		if vf.s.state.Load().torn[l.Dir] { // somebody else has mended it
			v.Err = vf.s.checks().markWhole(l.Dir)
		}
		return v
	}
	if !o.Repair {
		if v.Err = vf.s.checks().markTorn(l.Dir); v.Err == nil {
			vf.s.records().warnOnce(vf.s.checks().tornError(l.Dir, fmt.Errorf("%d files differ, %s for one", len(v.Differences), v.Differences[0].Path)))
		}
		return v
	}
	if v.Err = vf.mendLayer(ctx, l, dir, owners, v.Differences, o.Sources); v.Err != nil {
		if err := vf.s.checks().markTorn(l.Dir); err != nil {
			v.Err = errors.Join(v.Err, err)
		}
		return v
	}
	v.Mended = true
	return v
}

// mendLayer mends a layer in place. While it does, the layer is marked: a power cut leaves it out of use.
func (vf verification) mendLayer(ctx context.Context, l layer.Record, dir string, owners []Image, list []layer.Difference, more []LayerSource) error {
	if err := vf.s.checks().markTorn(l.Dir); err != nil {
		return err
	}
	sources := []func() (io.ReadCloser, error){nil}
	if layer.NeedsContent(list) {
		sources = vf.sourcesOf(ctx, l, owners, more)
	}
	err := layer.ErrNoSource
	for _, source := range sources {
		if err = layer.Mend(ctx, dir, list, source); err == nil {
			break
		}
		// What an earlier source has mended need not come again.
		left, verr := layer.Verify(ctx, vf.s.checks().ledgerFile(l.Dir), dir)
		if verr != nil {
			return errors.Join(err, verr)
		}
		list = left
	}
	if err != nil {
		return err
	}
	if left, err := layer.Verify(ctx, vf.s.checks().ledgerFile(l.Dir), dir); err != nil || len(left) > 0 {
		return errors.Join(fmt.Errorf("%d files still differ", len(left)), err)
	}
	if err := syncFilesystem(vf.s.root); err != nil {
		return err
	}
	return vf.s.checks().markWhole(l.Dir)
}

// sourcesOf lists who may have a layer: the archives of the folder that gave an image with it, then others.
func (vf verification) sourcesOf(ctx context.Context, l layer.Record, owners []Image, more []LayerSource) []func() (io.ReadCloser, error) {
	var out []func() (io.ReadCloser, error)
	for path, m := range vf.s.imports().readMemory() {
		for _, img := range owners {
			if slices.Contains(m.IDs, img.ID) {
				out = append(out, func() (io.ReadCloser, error) { return vf.layerInArchive(path, img.ID, l.DiffID) })
				break
			}
		}
	}
	for _, source := range more {
		for _, img := range owners {
			out = append(out, func() (io.ReadCloser, error) { return source(ctx, img, l.DiffID, l.Blob) })
		}
	}
	if len(out) == 0 {
		out = append(out, nil)
	}
	return out
}

// layerInArchive opens a layer where it lies in an archive.
func (vf verification) layerInArchive(path, id, diffID string) (io.ReadCloser, error) {
	var a archive.Archive
	var closer io.Closer
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, err
		}
		a, closer = archive.OpenFolder(root), root
	} else {
		f, err := hostfile.Open(path)
		if err != nil {
			return nil, err
		}
		in, ok := archive.OpenInPlace(f)
		if !ok {
			return nil, errors.Join(fmt.Errorf("%s is compressed as a whole: load it again", path), f.Close())
		}
		a, closer = in, f
	}
	list, err := archive.Images(a, vf.s.want, "")
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	for _, c := range list {
		for _, l := range c.Layers {
			if c.ID != id || l.DiffID != diffID {
				continue
			}
			blob, err := archive.OpenLayer(a, l.Name)
			if err != nil {
				return nil, errors.Join(err, closer.Close())
			}
			return &closingReader{blob, closer}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s does not have the layer any more", path), closer.Close())
}

// closingReader closes what it reads from and the file that that is in.
type closingReader struct {
	io.ReadCloser
	file io.Closer
}

func (c *closingReader) Close() error { return errors.Join(c.ReadCloser.Close(), c.file.Close()) }

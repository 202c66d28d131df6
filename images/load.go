package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"podd/images/archive"
	"podd/images/fault"
	"podd/images/layer"
	"podd/images/platform"
	"podd/internal/filelock"
	"podd/internal/hostfile"
)

// loads stages and commits images.
type loads struct{ s *Store }

func (s *Store) loads() loads { return loads{s} }

// LoadOptions of one archive.
type LoadOptions struct {
	Name     string // for the one image of the archive, instead of the names in it
	Platform string // "linux/arm64" instead of the store's
	Source   string // what messages call the archive; "" is its path, or "the archive"
	// Read is told of each piece of the archive how many bytes it has, by several goroutines; nil: nobody wants to know.
	Read func(n int)
}

// Load imports all images of an archive that fit the machine: an OCI layout or a docker-archive as tar, as a whole plain
// or compressed with gzip or zstd. It reads r to its end, unless it fails. A regular file is read in place.
// Either all images are in the store afterwards, on stable storage, or none; the error says which archive and what to do
// (ErrRefused, ErrTruncated, ErrPlatform or a failure of the machine).
func (s *Store) Load(ctx context.Context, r io.Reader, o LoadOptions) ([]Image, error) {
	if f, ok := r.(*os.File); ok && archive.InPlace(f) {
		o.Source = source(o.Source, f.Name())
		return s.loads().load(ctx, o, func(ctx context.Context, st *layer.Staging) (archive.Archive, error) {
			return archive.OpenFile(ctx, f, st, o.Read)
		})
	}
	o.Source = source(o.Source, "the archive")
	return s.loads().load(ctx, o, func(ctx context.Context, st *layer.Staging) (archive.Archive, error) {
		return archive.OpenStream(ctx, archive.Watch(r, o.Read), st)
	})
}

// LoadPath is Load for a file, or for a folder that holds an OCI layout.
func (s *Store) LoadPath(ctx context.Context, path string, o LoadOptions) ([]Image, error) {
	o.Source = source(o.Source, path)
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	load := func() ([]Image, error) { return s.loads().loadPath(ctx, path, st.IsDir(), o) }
	had := freeOf(s.root)
	imgs, err := load()
	if outOfSpace(err) && s.makeRoom != nil && s.makeRoom(Room{Bytes: had[0] + 1, Inodes: errors.Is(err, layer.ErrNoInode)}) {
		imgs, err = load()
	}
	return imgs, err
}

func (lo loads) loadPath(ctx context.Context, path string, folder bool, o LoadOptions) ([]Image, error) {
	if !folder {
		f, err := hostfile.Open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
		}
		defer func() { _ = f.Close() }() // only read
		return lo.s.Load(ctx, f, o)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	defer func() { _ = root.Close() }()
	return lo.load(ctx, o, func(context.Context, *layer.Staging) (archive.Archive, error) {
		return archive.OpenFolder(root), nil
	})
}

func source(given, fallback string) string {
	if given != "" {
		return given
	}
	return fallback
}

// load is the way of every archive: stage, verify, sync, commit.
func (lo loads) load(ctx context.Context, o LoadOptions, open func(context.Context, *layer.Staging) (archive.Archive, error)) ([]Image, error) {
	imgs, err := lo.stageAndCommit(ctx, o, open)
	if err != nil {
		return nil, loadError(o.Source, err)
	}
	if err := lo.s.removal().collect(); err != nil { // the images are there
		lo.s.records().warnOnce(err)
	}
	return imgs, nil
}

func (lo loads) stageAndCommit(
	ctx context.Context, o LoadOptions, open func(context.Context, *layer.Staging) (archive.Archive, error),
) (imgs []Image, err error) {
	lo.s.unpack(1)
	defer lo.s.unpack(-1)
	want := lo.s.want
	if o.Platform != "" {
		if want, err = platform.Parse(o.Platform); err != nil {
			return nil, err
		}
	}
	if err := lo.s.Recheck(); err != nil { // a layer that is gone must be brought again
		return nil, err
	}
	done, err := filelock.Wait(lo.s.dir("loads"), filelock.Shared, lo.s.records().reportDamage)
	if err != nil {
		return nil, err
	}
	defer done.Close()
	st, err := layer.NewStaging(lo.s.dir("tmp"), lo.s.limits, lo.knownLayer)
	if err != nil {
		return nil, err
	}
	defer func() {
		if _, gone := os.Lstat(st.Dir); err != nil && (gone != nil || errors.Is(err, layer.ErrStagingGone)) {
			err = fmt.Errorf("somebody has removed the image store meanwhile: %v", err) // which is no verdict on the archive
		}
		err = errors.Join(err, st.Discard())
	}()
	a, err := open(ctx, st)
	if err != nil {
		return nil, err
	}
	list, err := archive.Images(a, want, o.Name)
	if err != nil {
		return nil, err
	}
	var records []*record
	for _, c := range list {
		r, err := lo.stageImage(ctx, a, c, st)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return lo.s.commits().commit(records, st)
}

func (lo loads) knownLayer(digest string) (layer.Record, bool) {
	l, ok := lo.s.state.Load().layers[digest]
	return l, ok
}

// loadError makes one sentence of what is wrong with an archive, and adds what to do.
func loadError(source string, err error) error {
	remedy := ""
	switch {
	case outOfSpace(err):
		remedy = "free some space, for example with podd images rm"
	case errors.Is(err, ErrTruncated):
		remedy = "copy the archive again"
	case errors.Is(err, ErrRefused):
		remedy = "save the image again from a source that you trust"
	default: // the sentence of ErrPlatform has its own
		return &fault.Sentence{Kind: err, Text: fmt.Sprintf("cannot import %s: %v", source, err)}
	}
	return &fault.Sentence{Kind: err, Text: fmt.Sprintf("cannot import %s: %v; nothing of it was kept: %s", source, err, remedy)}
}

// stageImage unpacks the layers of an image that the store does not have, verifies them, and makes the image's record.
func (lo loads) stageImage(ctx context.Context, a archive.Archive, c *archive.Image, st *layer.Staging) (*record, error) {
	p, isPull := a.(*pulled)
	if isPull {
		if err := p.stage(ctx, c, st); err != nil {
			return nil, err
		}
	}
	var layers []layer.Record
	if !isPull {
		err := eachLayer(ctx, c, loadParallel, func(ctx context.Context, ref archive.Layer) error {
			_, err := stageLayer(ctx, a, st, ref)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for i, ref := range c.Layers {
		l, err := stageLayer(ctx, a, st, ref) // what is there by now, and equal layers
		if err != nil {
			return nil, fmt.Errorf("layer %d of %s: %w", i+1, c.Called(), err)
		}
		layers = append(layers, l)
	}
	layers, err := st.AddFixup(layers, lo.s.dir("l"))
	if err != nil {
		return nil, err
	}
	r := &record{
		ID: c.ID, Names: c.Names, Digests: c.Digests, Created: c.Created, Platform: c.Platform, Config: c.Config, Layers: layers,
		Configuration: string(c.Raw), Manifest: string(c.Manifest),
	}
	if c.Root.Digest != "" {
		r.Root = &c.Root
	}
	r.Indexes = keptIndexes(c.Indexes)
	if r.Pulled = isPull; !isPull { // a registry is asked when somebody wants the signatures
		if found := archive.Signatures(ctx, a, c); len(found) > 0 {
			r.Trust = &Trust{Signatures: found}
		}
	}
	return r, nil
}

// loadParallel is how many layers of an archive are unpacked at the same time, if it is a file.
const loadParallel = 2

// eachLayer calls stage for the layers of an image, equal ones once, several at the same time. The error is the first one, and
// says of which layer.
func eachLayer(ctx context.Context, c *archive.Image, parallel int, stage func(ctx context.Context, ref archive.Layer) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	work := func() {
		for i := range todo {
			if err := stage(ctx, c.Layers[i]); err != nil {
				cancel(fmt.Errorf("layer %d of %s: %w", i+1, c.Called(), err))
			}
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		feed(ctx, c, todo)
		close(todo)
	})
	for range min(parallel, len(c.Layers)) - 1 {
		all.Go(work)
	}
	work()
	all.Wait()
	return context.Cause(ctx)
}

// feed hands out the layers, equal ones once.
func feed(ctx context.Context, c *archive.Image, todo chan<- int) {
	for i, ref := range c.Layers {
		if slices.ContainsFunc(c.Layers[:i], func(l archive.Layer) bool { return l.DiffID == ref.DiffID }) {
			continue
		}
		select {
		case todo <- i:
		case <-ctx.Done():
			return
		}
	}
}

// maxIndexes is what of indexes is kept with an image: those of distributions have ten kilobytes.
const maxIndexes = 64 << 10

func keptIndexes(list [][]byte) (kept []string) {
	size := 0
	for _, index := range list {
		if size += len(index); size > maxIndexes {
			return nil
		}
		kept = append(kept, string(index))
	}
	return kept
}

func stageLayer(ctx context.Context, a archive.Archive, st *layer.Staging, ref archive.Layer) (layer.Record, error) {
	if l, ok := st.Known(ref.DiffID); ok {
		return l, nil
	}
	l := st.Staged(ref.DiffID)
	if l == nil {
		var err error
		l, err = a.Layer(ctx, ref.Name, st)
		if archive.IsMissing(err) {
			return layer.Record{}, archive.MissingError(a, "its file", ref.Name)
		}
		if err != nil {
			return layer.Record{}, err
		}
		if err := verify(l, ref); err != nil {
			return layer.Record{}, err
		}
	}
	return recordOf(l), nil
}

// verify compares a layer with what the image says of it.
func verify(l *layer.Staged, ref archive.Layer) error {
	switch {
	case l.DiffID != ref.DiffID:
		return fault.Refusef("its content has the digest %s where the configuration says %s", l.DiffID, ref.DiffID)
	case ref.Blob != "" && l.BlobID != ref.Blob:
		return fault.Refusef("its file has the digest %s where the manifest says %s", l.BlobID, ref.Blob)
	case ref.Size > 0 && l.BlobSize != ref.Size:
		return fault.Refusef("its file is %d bytes long where the manifest says %d", l.BlobSize, ref.Size)
	}
	return nil
}

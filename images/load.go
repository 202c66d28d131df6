package images

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"podd/internal/filelock"
	"podd/internal/hostfile"
)

// LoadOptions of one archive.
type LoadOptions struct {
	Name     string // for the one image of the archive, instead of the names in it
	Platform string // "linux/arm64" instead of the store's
	Source   string // what messages call the archive; "" is its path, or "the archive"
}

// Load imports all images of an archive that fit the machine: an OCI layout or a docker-archive as tar, as a whole plain
// or compressed with gzip or zstd. It reads r to its end, unless it fails. A regular file is read in place.
// Either all images are in the store afterwards, on stable storage, or none; the error says which archive and what to do
// (ErrRefused, ErrTruncated, ErrPlatform or a failure of the machine).
func (s *Store) Load(ctx context.Context, r io.Reader, o LoadOptions) ([]Image, error) {
	o.Source = source(o.Source, "the archive")
	if f, ok := r.(*os.File); ok && isRegularStart(f) {
		o.Source = source(o.Source, f.Name())
		return s.load(ctx, o, func(ctx context.Context, st *staging) (archive, error) { return openFile(ctx, f, st) })
	}
	return s.load(ctx, o, func(ctx context.Context, st *staging) (archive, error) {
		return openStream(ctx, bufio.NewReaderSize(r, pumpChunk), st)
	})
}

// LoadPath is Load for a file, or for a folder that holds an OCI layout.
func (s *Store) LoadPath(ctx context.Context, path string, o LoadOptions) ([]Image, error) {
	o.Source = source(o.Source, path)
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	if !st.IsDir() {
		f, err := hostfile.Open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
		}
		defer func() { _ = f.Close() }() // only read
		return s.Load(ctx, f, o)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	defer func() { _ = root.Close() }()
	return s.load(ctx, o, func(context.Context, *staging) (archive, error) {
		return randomAccess{&folderArchive{root}}, nil
	})
}

func source(given, fallback string) string {
	if given != "" {
		return given
	}
	return fallback
}

// load is the way of every archive: stage, verify, sync, commit.
func (s *Store) load(ctx context.Context, o LoadOptions, open func(context.Context, *staging) (archive, error)) ([]Image, error) {
	imgs, err := s.stageAndCommit(ctx, o, open)
	if err != nil {
		return nil, loadError(o.Source, err)
	}
	if err := s.collect(); err != nil { // the images are there
		s.warnOnce(err)
	}
	return imgs, nil
}

func (s *Store) stageAndCommit(
	ctx context.Context, o LoadOptions, open func(context.Context, *staging) (archive, error),
) (imgs []Image, err error) {
	want := s.want
	if o.Platform != "" {
		if want, err = parsePlatform(o.Platform); err != nil {
			return nil, err
		}
	}
	if err := s.Recheck(); err != nil { // a layer that is gone must be brought again
		return nil, err
	}
	done, err := filelock.Wait(s.dir("loads"), filelock.Shared, s.reportDamage)
	if err != nil {
		return nil, err
	}
	defer func() {
		done.Close()
		debug.FreeOSMemory() // the decoders' windows: the daemon lives in less
	}()
	st, err := newStaging(s.dir("tmp"), s.limits, s.knownLayer)
	if err != nil {
		return nil, err
	}
	defer func() {
		if _, gone := os.Lstat(st.dir); err != nil && gone != nil {
			err = fmt.Errorf("somebody has removed the image store meanwhile: %v", err) // which is no verdict on the archive
		}
		err = errors.Join(err, st.discard())
	}()
	a, err := open(ctx, st)
	if err != nil {
		return nil, err
	}
	list, err := candidates(a, want, o.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if err := c.stage(ctx, a, st); err != nil {
			return nil, err
		}
		if err := st.addFixup(c, s.dir("l")); err != nil {
			return nil, err
		}
	}
	return s.commit(list, st)
}

func (s *Store) knownLayer(digest string) (layerRecord, bool) {
	l, ok := s.state.Load().layers[digest]
	return l, ok
}

// loadError makes one sentence of what is wrong with an archive, and adds what to do.
func loadError(source string, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		remedy = "free some space, for example with podd images rm"
	case errors.Is(err, ErrTruncated):
		remedy = "copy the archive again"
	case errors.Is(err, ErrRefused):
		remedy = "save the image again from a source that you trust"
	default: // the sentence of ErrPlatform has its own
		return &sentence{err, fmt.Sprintf("cannot import %s: %v", source, err)}
	}
	return &sentence{err, fmt.Sprintf("cannot import %s: %v; nothing of it was kept: %s", source, err, remedy)}
}

package images

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
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
	f, err := os.Open(path) //nolint:gosec // the user's choice
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	defer func() { _ = f.Close() }() // only read
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", o.Source, err)
	}
	if !st.IsDir() {
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

func isRegularStart(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	off, err := f.Seek(0, io.SeekCurrent)
	return err == nil && off == 0
}

func openFile(ctx context.Context, f *os.File, st *staging) (archive, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isTar(head[:n]) {
		return openStream(ctx, bufio.NewReaderSize(f, pumpChunk), st)
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL) // a hint
	a, err := indexTar(f)
	if err != nil {
		return nil, err
	}
	return randomAccess{a}, nil
}

func openStream(ctx context.Context, r *bufio.Reader, st *staging) (a archive, err error) {
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil, truncatedf("it is empty")
	}
	z, err := decompress(r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := z.Close(); err == nil {
			err = cerr // a decoder repeats here what Read has said
		}
	}()
	in := bufio.NewReaderSize(z, pumpChunk)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isTar(head) {
		return nil, notTar(head)
	}
	return readStream(ctx, in, st)
}

func notTar(head []byte) error {
	if len(head) < 512 {
		return truncatedf("it is shorter than any image archive")
	}
	return refusef("it is neither an OCI layout nor a docker-archive: save the image with docker save or podman save")
}

// load is the way of every archive: stage, verify, sync, commit.
func (s *Store) load(ctx context.Context, o LoadOptions, open func(context.Context, *staging) (archive, error)) ([]Image, error) {
	imgs, err := s.stageAndCommit(ctx, o, open)
	if err != nil {
		return nil, loadError(o.Source, err)
	}
	return imgs, s.collect()
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
	if err := s.Refresh(); err != nil {
		return nil, err
	}
	done, _, err := flock(s.dir("loads"), unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer func() {
		done()
		debug.FreeOSMemory() // the decoders' windows: the daemon lives in less
	}()
	st, err := newStaging(s.dir("tmp"), s.limits, s.knownLayer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.discard()) }()
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

// candidates lists what an archive offers to this machine. Newer Dockers write both kinds into one archive; the OCI
// layout tells more, and the names are in both.
func candidates(a archive, want platform, name string) (list []*candidate, err error) {
	data, err := a.document("index.json")
	kind := ociImages
	if isMissing(err) {
		data, err = a.document("manifest.json")
		kind = dockerImages
	}
	if isMissing(err) {
		return nil, missing(a, "the list of its images", "index.json or manifest.json")
	}
	if err != nil {
		return nil, err
	}
	if list, err = kind(a, data, want); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, refusef("there is no image in it")
	}
	if name == "" {
		return list, nil
	}
	if len(list) > 1 {
		return nil, fmt.Errorf("it holds %d images, so that %q cannot name them all: leave the name out", len(list), name)
	}
	full, err := NormalizeName(name)
	if err != nil {
		return nil, err
	}
	list[0].Names = []string{full}
	return list, nil
}

// loadError makes one sentence of what is wrong with an archive, and adds what to do.
func loadError(source string, err error) error {
	text := strings.TrimSuffix(fmt.Sprintf("cannot import %s: %v", source, err), "\n")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &sentence{err, text}
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		text += "; nothing of it was kept: free some space, for example with podd images rm"
	case errors.Is(err, ErrTruncated):
		text += "; nothing of it was kept: copy the archive again"
	case errors.Is(err, ErrRefused) && !strings.Contains(text, ": save the image"):
		text += "; nothing of it was kept: save the image again from a source that you trust"
	}
	return &sentence{err, text}
}

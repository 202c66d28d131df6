package images

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// Limits of the documents in an archive.
const (
	maxDocument  = 4 << 20  // one configuration, manifest or index
	maxDocuments = 16 << 20 // all that a stream makes us keep
	maxEntries   = 10000    // of the archive itself
)

// archive gives the parts of an image archive by their names, in whatever order they are asked for.
type archive interface {
	// document reads a small file; a missing one is fs.ErrNotExist.
	document(name string) ([]byte, error)
	// layer unpacks a layer into the staging area; a missing one is fs.ErrNotExist.
	layer(ctx context.Context, name string, st *staging) (*staged, error)
	// whole is false when the archive has no end.
	whole() bool
}

// opener is an archive whose files can be opened at will.
type opener interface {
	open(name string) (io.ReadCloser, error)
	whole() bool
}

// randomAccess reads an archive in place.
type randomAccess struct{ opener }

func (a randomAccess) document(name string) ([]byte, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(f, name)
	return data, errors.Join(err, f.Close())
}

func (a randomAccess) layer(ctx context.Context, name string, st *staging) (*staged, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	l, err := st.unpack(ctx, f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return l, err
}

func readDocument(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = truncatedf("%s ends too early", name)
		}
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, refusef("%s is larger than %d MiB", clip(name), maxDocument>>20)
	}
	return data, nil
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// missing names what an archive lacks: a half-copied one is no hostile one.
func missing(a archive, what, name string) error {
	if !a.whole() {
		return truncatedf("%s (%s) is missing and so is the end of the archive", what, clip(name))
	}
	return refusef("%s (%s) is missing", what, clip(name))
}
